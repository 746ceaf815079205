import { serverVariables } from "./server-variables.ts";

/** The reference of the server's variables, printed from the schemas that parse them. */
export function configurationDocument(): string {
  const rows = Object.entries(serverVariables).map(([name, schema]) => {
    const parsed = schema.safeParse(undefined);
    const fallback = parsed.success && parsed.data !== undefined ? `\`${shown(parsed.data)}\`` : "";
    return `| \`${name}\` | ${fallback} | ${schema.description ?? ""} |\n`;
  });
  return `# Configuration of the server

\`aether serve\` needs none. Everything below is an environment variable; a flag of \`aether serve\` beats it. Every wrong value
is reported at the start, all at once, and so is a variable that does not exist.

| variable | default | meaning |
|---|---|---|
${rows.join("")}
The command line reads \`AETHER_API_BASE\`, \`AETHER_TOKEN\`, \`AETHER_APP\` and \`AETHER_SIGNING_KEY\` (see [signing](signing)), and
\`server\` and \`app\` from \`$XDG_CONFIG_HOME/aether/config.toml\`. A flag beats the environment, the environment beats the file, the file beats what
\`aether login\` remembered.
`;
}

const shown = (value: unknown): string => (typeof value === "boolean" ? (value ? "1" : "0") : String(value));
