// Files that the compiled binary carries: text becomes a string, the others the path they are readable under.
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.data" {
  const path: string;
  export default path;
}
declare module "*.wasm" {
  const path: string;
  export default path;
}
declare module "*.tar.gz" {
  const path: string;
  export default path;
}
