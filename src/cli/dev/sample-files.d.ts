// The files of examples/sample-node that no compiler should read: their text.
declare module "*/sample-node/server.js" {
  const text: string;
  export default text;
}
declare module "*/sample-node/index.html" {
  const text: string;
  export default text;
}
