import { inRange } from "../../lib/node-version.ts";

/** Node versions that images are made for; the first one is taken where an application asks for none. */
const majors = [20, 22, 24, 18];

/** Whether applications choose their Node version, as by `aether-nodejs:{major}-slim`. */
export const hasMajors = (image: string): boolean => image.includes("{major}");

/** The Node version that an application gets, by what it asks for and, where the image is fixed, by the image's name. */
export function nodeMajor(image: string, wanted?: string): number {
  const [first = 20] = majors;
  if (!hasMajors(image)) return majorOf(image) ?? first;
  return majors.find((major) => wanted === undefined || inRange(newestOf(major), wanted)) ?? first;
}

/** Why the image has not the Node version that is asked for, or undefined. */
export function nodeProblem(image: string, wanted: string | undefined): string | undefined {
  const known = hasMajors(image) ? majors : [majorOf(image)].filter((major) => major !== undefined);
  if (wanted === undefined || known.length === 0) return undefined; // an image that says nothing may have it
  if (known.some((major) => inRange(newestOf(major), wanted) || namesMajor(wanted, major))) return undefined;
  return `The application asks for Node.js ${wanted}, and this server runs applications in ${image}: change "engines" in package.json, or AETHER_RUNTIME_IMAGE of the server.`;
}

/** Which C library native modules find in the image, as far as its name tells. */
export const libcOf = (image: string): "glibc" | "musl" => (/alpine|musl/.test(image) ? "musl" : "glibc");

const majorOf = (image: string): number | undefined => {
  const [, major] = /:\D*(\d{2})(?!\d)[^/]*$/.exec(image) ?? [];
  return major === undefined ? undefined : Number(major);
};

/** An exact version, such as `20.11.1`: the image's own may be another, and the application is let try. */
const namesMajor = (wanted: string, major: number): boolean => new RegExp(`^[=v]*${major}\\.\\d+`).test(wanted.trim());

const newestOf = (major: number): string => `${major}.99.0`;
