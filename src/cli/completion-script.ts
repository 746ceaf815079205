import type { ArgsDef } from "citty";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A command with its flags, or a noun with its verbs; and flags of its own where it is a command as well. */
export type Completed = { name: string; summary: string } & (
  | { args: ArgsDef }
  | { verbs: Completed[]; args?: ArgsDef | undefined }
);

interface Flag {
  flag: string;
  description: string;
}

/** A script that completes commands and their flags, generated from the commands themselves. */
export function completionScript(shell: Shell, commands: Completed[]): string {
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

/** What a command line may begin with besides a command. */
const rootWords = ["help", "--help", "-h", "--version", "-v"];

/** `-f` beside `--follow`; every command has the last two. */
function shortFlagsOf(args: ArgsDef): string[] {
  const aliases = Object.values(args).flatMap((arg) => ("alias" in arg ? [arg.alias ?? []].flat() : []));
  return [...aliases.filter((alias) => alias.length === 1).map((alias) => `-${alias}`), "--help", "-h"];
}

/** How bash completes the value after each flag that takes one; files where nothing better is known. */
function bashValues(args: ArgsDef): string[] {
  return Object.entries(args).flatMap(([name, arg]) => {
    if (arg.type === "enum") return [`--${name}) ${bashWords((arg.options ?? []).map(String))}; return ;;`];
    if (arg.type !== "string") return [];
    return [`--${name}) ${arg.valueHint === "folder" ? bashFolders : "COMPREPLY=()"}; return ;;`];
  });
}

/** How bash completes the first argument. */
function bashArgument(args: ArgsDef): string {
  const [name] = Object.entries(args).find(([, arg]) => arg.type === "positional") ?? [];
  if (name === "dir") return bashFolders;
  if (name === "file") return bashFiles;
  return name === "shell" ? bashWords([...shells]) : "COMPREPLY=()";
}

const bashWords = (words: string[]): string => `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current"))`;
const bashFolders = "compopt -o filenames 2>/dev/null; IFS=$'\\n'; COMPREPLY=($(compgen -d -- \"$current\"))"; // names may hold spaces

const bashFiles = bashFolders.replace("compgen -d", "compgen -f");

function bash(commands: Completed[]): string {
  const names = commands.map(({ name }) => name);
  return `# bash completion for aether
_aether() {
  local IFS=$' \\t\\n' current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    ${bashWords([...names, ...rootWords])}
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map((command) => `    ${command.name})\n${bashCase(command)} ;;`).join("\n")}
    help) ${bashWords(names)} ;;
  esac
}
complete -F _aether aether
`;
}

function bashCase(command: Completed): string {
  if ("verbs" in command) {
    const { name, summary, verbs, args } = command;
    const own = args === undefined ? ["--help", "-h"] : bashFlags(args);
    const behindFlags = args === undefined ? "" : `\n      -*)\n${bashCase({ name, summary, args })} ;;`;
    return `      if [ "$COMP_CWORD" -eq 2 ]; then
        ${bashWords([...verbs.map(({ name }) => name), ...own])}
        return
      fi
      case "\${COMP_WORDS[2]}" in
${verbs.map((verb) => `      ${verb.name})\n${bashCase(verb)} ;;`).join("\n")}${behindFlags}
      esac`;
  }
  const { args } = command;
  const flags = bashFlags(args);
  return `      case "$previous" in
${bashValues(args)
  .map((line) => `        ${line}`)
  .join("\n")}
      esac
      case "$current" in
        -*) ${bashWords(flags)} ;;
        *)
          ${bashArgument(args)}
          if [ -z "$current" ] && [ \${#COMPREPLY[@]} -eq 0 ]; then IFS=$' \\t\\n'; ${bashWords(flags)}; fi ;;
      esac`;
}

const bashFlags = (args: ArgsDef): string[] => [...flagsOf(args).map(({ flag }) => flag), ...shortFlagsOf(args)];

function zsh(commands: Completed[]): string {
  return `#compdef aether
_aether() {
${zshLevel(commands)}
}
compdef _aether aether
`;
}

/** Completes the second word among `commands`, else goes on behind it. */
function zshLevel(commands: Completed[]): string {
  const quoted = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(":", "\\:").replaceAll("[", "(").replaceAll("]", ")");
  const names = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`);
  const cases = commands.map((command) => {
    if (!("verbs" in command)) return `    ${command.name}) ${zshArguments(command.args, quoted)} ;;`;
    const { name, verbs, args } = command;
    const own = args && `    if [[ "\${words[2]}" == -* ]]; then ${zshArguments(args, quoted)}; return; fi\n`;
    return `    ${name})\n${own ?? ""}${zshLevel(verbs)} ;;`;
  });
  return `  local -a names
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
  esac`;
}

function zshArguments(args: ArgsDef, quoted: (text: string) => string): string {
  const flags = flagsOf(args).map(
    ({ flag, description }) => `'${flag}[${quoted(description)}]${zshValue(args[flag.slice(2)])}'`,
  );
  return `_arguments ${flags.join(" ")} '*${zshArgument(args)}'`;
}

/** What follows a flag that takes a value. */
function zshValue(arg: ArgsDef[string] | undefined): string {
  if (arg?.type === "enum") return `:value:(${(arg.options ?? []).join(" ")})`;
  if (arg?.type !== "string") return "";
  return arg.valueHint === "folder" ? ":folder:_files -/" : ":value: ";
}

/** Folders for deploy, a shell for completions, a file for verify; nothing is known of other arguments. */
function zshArgument(args: ArgsDef): string {
  const [name] = Object.entries(args).find(([, arg]) => arg.type === "positional") ?? [];
  if (name === "dir") return ":folder:_files -/";
  if (name === "shell") return `:shell:(${shells.join(" ")})`;
  return name === "what" ? ":file:_files" : ":argument: ";
}

function fish(commands: Completed[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c aether -n __fish_use_subcommand -f -a ${command.name} -d '${fishQuoted(command.summary)}'`,
    ...fishBehind(command, `__fish_seen_subcommand_from ${command.name}`),
  ]);
  return `# fish completion for aether\n${lines.join("\n")}\n`;
}

function fishBehind(command: Completed, condition: string): string[] {
  if (!("verbs" in command)) {
    const { args } = command;
    return [...fishFlags(args, condition), `complete -c aether -n '${condition}' ${fishArgument(args)}`];
  }
  const names = command.verbs.map(({ name }) => name).join(" ");
  const own = fishFlags(command.args ?? {}, `${condition}; and not __fish_seen_subcommand_from ${names}`);
  const behind = command.verbs.flatMap((verb) => [
    `complete -c aether -n '${condition}; and not __fish_seen_subcommand_from ${names}' -f -a ${verb.name} -d '${fishQuoted(verb.summary)}'`,
    ...fishBehind(verb, `${condition}; and __fish_seen_subcommand_from ${verb.name}`),
  ]);
  return [...own, ...behind];
}

const fishFlags = (args: ArgsDef, condition: string): string[] =>
  flagsOf(args).map(
    ({ flag, description }) =>
      `complete -c aether -n '${condition}' -l ${flag.slice(2)}${fishValue(args[flag.slice(2)])} -d '${fishQuoted(description)}'`,
  );

const fishFolders = "-a '(__fish_complete_directories)'";

function fishValue(arg: ArgsDef[string] | undefined): string {
  if (arg?.type === "enum") return ` -x -a '${(arg.options ?? []).join(" ")}'`;
  if (arg?.type !== "string") return "";
  return arg.valueHint === "folder" ? ` -x ${fishFolders}` : " -x";
}

function fishArgument(args: ArgsDef): string {
  const [name] = Object.entries(args).find(([, arg]) => arg.type === "positional") ?? [];
  if (name === "dir") return `-f ${fishFolders}`;
  if (name === "shell") return `-f -a '${shells.join(" ")}'`;
  return name === "what" ? "-F" : "-f";
}

const fishQuoted = (text: string): string => text.replaceAll("'", "\\'");
