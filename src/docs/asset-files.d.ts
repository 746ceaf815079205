// Files of the API's documentation page: the path they are readable under.
declare module "*/swagger-ui-bundle.js" {
  const path: string;
  export default path;
}
declare module "*/swagger-ui.css" {
  const path: string;
  export default path;
}
