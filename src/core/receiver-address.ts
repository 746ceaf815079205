import ipaddr from "ipaddr.js";

/** Metadata services whose addresses look like ordinary private or public ones. */
const metadata = new Set(["100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"]);
const privateRanges = new Set(["private", "loopback", "uniqueLocal", "carrierGradeNat"]);

/**
 * Why no request may be sent to an IP address on someone's behalf; undefined when it may. Link-local addresses, metadata
 * services and what is no host's address are refused always, private ones and this machine unless `allowPrivate`.
 */
export function addressProblem(address: string, { allowPrivate }: { allowPrivate: boolean }): string | undefined {
  if (!ipaddr.isValid(address)) return `${address} is no IP address`;
  const parsed = unwrap(ipaddr.parse(address));
  const range = parsed.range();
  if (range === "linkLocal" || metadata.has(parsed.toString())) return `${address} is a link-local or metadata address`;
  if (privateRanges.has(range)) return allowPrivate ? undefined : `${address} is a private address`;
  return range === "unicast" ? undefined : `${address} is not the address of a host (${range})`;
}

/** The IPv4 address inside an IPv6 one that only carries it (mapped, NAT64). */
function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.kind() === "ipv4") return address;
  const v6 = address as ipaddr.IPv6;
  if (v6.isIPv4MappedAddress()) return v6.toIPv4Address();
  if (v6.range() === "rfc6052") return new ipaddr.IPv4(v6.toByteArray().slice(12));
  return v6;
}

/** The most characters of a receiver's URL. */
export const longestReceiver = 2_000;

/** Why a URL cannot be a receiver's, as far as its text tells; `any`: whatever its address is. */
export function receiverProblem(text: string, allowed: { allowPrivate: boolean } | "any"): string | undefined {
  if (!URL.canParse(text)) return "it is not a URL";
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return "it must start with https:// or http://";
  if (url.username !== "" || url.password !== "") return "it must not hold a user or a password";
  const host = hostOf(url);
  return allowed !== "any" && ipaddr.isValid(host) ? addressProblem(host, allowed) : undefined;
}

/** A URL's host as sockets and resolvers take it: an IPv6 address without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1");
