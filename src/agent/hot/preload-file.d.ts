/** The text of `preload.cjs`, which the agent writes to where applications find it. */
declare module "*/preload.cjs" {
  const text: string;
  export default text;
}
