// The agent as one JavaScript file, embedded in the binary: the path it is readable under.
declare module "*/agent.mjs" {
  const path: string;
  export default path;
}
