/** An OpenID Connect provider on a free port, as a cluster is one for its pods: its tokens are signed with a key it publishes. */
export async function identityProvider() {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const size = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const { privateKey, publicKey } = await crypto.subtle.generateKey({ ...algorithm, ...size }, true, [
    "sign",
    "verify",
  ]);
  const key = { ...(await crypto.subtle.exportKey("jwk", publicKey)), kid: "test", use: "sig", alg: "RS256" };
  let issuer = "";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }): Response =>
      Response.json(
        url.endsWith("/keys")
          ? { keys: [key] }
          : { issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: issuer, token_endpoint: issuer },
      ),
  });
  issuer = `http://127.0.0.1:${server.port}`;
  const encode = (part: string | ArrayBuffer) => Buffer.from(part as string).toString("base64url");
  return {
    configUrl: `${issuer}/.well-known/openid-configuration`,
    clientId: "aether",
    /** A token of a service account that a store's policy of this name is for. */
    async token(policy: string): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: issuer,
        aud: "aether",
        sub: "system:serviceaccount:aether",
        iat: now,
        exp: now + 3600,
        policy,
      };
      const text = `${encode(JSON.stringify({ alg: "RS256", kid: "test" }))}.${encode(JSON.stringify(claims))}`;
      return `${text}.${encode(await crypto.subtle.sign(algorithm, privateKey, Buffer.from(text)))}`;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
