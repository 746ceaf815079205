/** A worker of this folder. In a compiled binary it is a file of the binary's own root, wherever the bundler put this code. */
export function workerUrl(file: string): string | URL {
  return import.meta.url.includes("/$bunfs/") ? `./artifact/pack/${file}` : new URL(`./${file}`, import.meta.url);
}
