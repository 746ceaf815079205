import { type Kind, type KindName, kinds } from "./kinds.ts";

/** The path of an object, or with no name of all of that kind; `subresource` follows the name. */
export function objectPath(
  ref: { kind: string; namespace?: string | undefined; name?: string | undefined },
  subresource?: string,
): string {
  const { apiVersion, plural, isNamespaced } = kindOf(ref.kind);
  const parts = [
    apiVersion.includes("/") ? `apis/${apiVersion}` : `api/${apiVersion}`,
    isNamespaced && ref.namespace !== undefined && `namespaces/${encodeURIComponent(ref.namespace)}`,
    plural,
    ref.name !== undefined && encodeURIComponent(ref.name),
    subresource,
  ];
  if (isNamespaced && ref.name !== undefined && ref.namespace === undefined) {
    throw new Error(`A ${ref.kind} has a namespace; "${ref.name}" was named without one.`);
  }
  return `/${parts.filter(Boolean).join("/")}`;
}

/** What is known of a kind. */
export function kindOf(name: string): Kind<unknown> {
  if (Object.hasOwn(kinds, name)) return kinds[name as KindName];
  throw new Error(`The kind ${name} is not in the table of src/k8s/kinds.ts.`);
}

/** An object in words: `deployments "shop" in "apps"`. */
export function inWords(
  verb: string,
  ref: { kind: string; namespace?: string | undefined; name?: string | undefined },
): string {
  const name = ref.name === undefined ? "" : ` "${ref.name}"`;
  const place = ref.namespace === undefined ? "" : ` in namespace "${ref.namespace}"`;
  return `${verb} ${kindOf(ref.kind).plural}${name}${place}`;
}
