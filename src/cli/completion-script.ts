import type { ArgsDef } from "citty";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export interface CompletedCommand {
  name: string;
  summary: string;
  args: ArgsDef;
}

interface Flag {
  flag: string;
  description: string;
}

/** A script that completes commands and their flags, generated from the commands themselves. */
export function completionScript(shell: Shell, commands: CompletedCommand[]): string {
  const scripts = { bash, zsh, fish };
  return scripts[shell](commands);
}

function flagsOf(args: ArgsDef): Flag[] {
  return Object.entries(args)
    .filter(([, arg]) => arg.type !== "positional")
    .map(([name, arg]) => {
      const negative = arg.type === "boolean" && arg.default === true;
      const description = negative && "negativeDescription" in arg ? arg.negativeDescription : arg.description;
      return { flag: `--${negative ? "no-" : ""}${name}`, description: description ?? "" };
    });
}

function bash(commands: CompletedCommand[]): string {
  const cases = commands.map(
    ({ name, args }) =>
      `    ${name}) words="${flagsOf(args)
        .map(({ flag }) => flag)
        .join(" ")}" ;;`,
  );
  return `# bash completion for aether
_aether() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${commands.map(({ name }) => name).join(" ")} --help --version" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(({ name }) => name).join(" ")} --help --version"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _aether aether
`;
}

function zsh(commands: CompletedCommand[]): string {
  const quoted = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(":", "\\:").replaceAll("[", "(").replaceAll("]", ")");
  const names = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`);
  const cases = commands.map(({ name, args }) => {
    const flags = flagsOf(args).map(({ flag, description }) => `'${flag}[${quoted(description)}]'`);
    return `    ${name}) _arguments ${flags.join(" ")} '*:file:_files' ;;`;
  });
  return `#compdef aether
_aether() {
  local -a names
  names=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  local name="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join("\n")}
  esac
}
compdef _aether aether
`;
}

function fish(commands: CompletedCommand[]): string {
  const quoted = (text: string) => text.replaceAll("'", "\\'");
  const names = commands.map(
    ({ name, summary }) => `complete -c aether -n __fish_use_subcommand -f -a ${name} -d '${quoted(summary)}'`,
  );
  const flags = commands.flatMap(({ name, args }) =>
    flagsOf(args).map(
      ({ flag, description }) =>
        `complete -c aether -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} -d '${quoted(description)}'`,
    ),
  );
  return `# fish completion for aether\n${[...names, ...flags].join("\n")}\n`;
}
