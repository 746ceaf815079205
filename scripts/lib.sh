# Sourced by the other scripts: brings the checkout up and puts its tools on PATH.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bun_bin=$(scripts/setup)
export PATH=$bun_bin:$PWD/node_modules/.bin:$PATH
