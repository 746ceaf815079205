import { systemCode } from "../lib/errors.ts";
import { isTimeout, networkReason } from "../lib/network-reason.ts";
import { ClusterError } from "./cluster-error.ts";

const distrust: Record<string, string> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "nobody we trust has signed it",
  UNABLE_TO_GET_ISSUER_CERT: "nobody we trust has signed it",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "nobody we trust has signed it",
  SELF_SIGNED_CERT_IN_CHAIN: "nobody we trust has signed it",
  DEPTH_ZERO_SELF_SIGNED_CERT: "nobody we trust has signed it",
  CERT_SIGNATURE_FAILURE: "its authority is another one of the same name",
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for other names",
};

/** Why nothing came back from the API server, by name. */
export function networkFailure(error: unknown, server: string): ClusterError {
  const code = systemCode(error) ?? "";
  const why = distrust[code];
  if (why !== undefined) return untrusted(server, why, error);
  if (isTimeout(error)) {
    return new ClusterError("timeout", `The Kubernetes API server at ${server} gave no answer in time.`, {
      cause: error,
      hint: "Check that this machine reaches it (VPN, firewall, proxy): `kubectl version` takes the same way.",
    });
  }
  return new ClusterError(
    "unreachable",
    `The Kubernetes API server at ${server} cannot be reached: ${networkReason(error)}.`,
    {
      cause: error,
      hint: "Check the address in the kubeconfig, and that the cluster runs: `kubectl version` takes the same way.",
    },
  );
}

function untrusted(server: string, why: string, cause: unknown): ClusterError {
  return new ClusterError(
    "untrusted",
    `The certificate of the Kubernetes API server at ${server} is refused: ${why}.`,
    {
      cause,
      hint: "Take a fresh kubeconfig: certificate-authority-data must be of this cluster, and tls-server-name one of its names.",
    },
  );
}
