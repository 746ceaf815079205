import type { Credentials, TextSource } from "./credentials.ts";

/** Where an API server is and how it is spoken to: what a kubeconfig's context or a pod's own account says. */
export interface ClusterAccess {
  /** Without a trailing slash. */
  server: string;
  namespace: string;
  /** Certificates to trust; without it the machine's own. */
  ca?: TextSource | undefined;
  /** `insecure-skip-tls-verify`. */
  isInsecure: boolean;
  /** The name its certificate is checked for, when that is not the server's. */
  tlsServerName?: string | undefined;
  proxyUrl?: string | undefined;
  credentials: Credentials;
}
