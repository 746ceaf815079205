import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createHarness, digestOf, someBytes } from "../harness/control-plane.ts";
import { openRequest, send, statusOf } from "../harness/raw-http.ts";
import { waitFor } from "../harness/wait-for.ts";

const bytes = someBytes("sent the old way");

function form(fields: Record<string, string | Uint8Array>) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") body.set(name, value);
    else body.set(name, new Blob([value.slice()]), "app.tar.gz");
  }
  return body;
}

async function post(api: string, body: FormData | string, headers: Record<string, string> = {}) {
  const digest = { "x-aether-artifact-digest": digestOf(bytes) };
  const response = await fetch(`${api}/artifacts`, { method: "POST", body, headers: { ...digest, ...headers } });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

test("the old form stores an artifact and is marked deprecated (REG-L1)", async () => {
  await using aether = await createHarness();
  const { status, headers, body } = await post(aether.api, form({ artifact: bytes, app_name: "shop" }));
  expect({ status, body }).toEqual({
    status: 200,
    body: {
      artifact_url: `artifacts/shop/${digestOf(bytes)}/app.tar.gz`,
      digest: digestOf(bytes),
      duplicate: false,
      app_linked: true,
      verified: false,
    },
  });
  expect(headers.get("x-aether-deprecated")).toBe("true");
  expect(headers.get("deprecation")).toMatch(/^@\d+$/);
  expect(headers.get("link")).toContain('rel="successor-version"');
  expect((await post(aether.api, form({ app_name: "shop", artifact: bytes }))).body).toMatchObject({ duplicate: true });
  expect(await readdir(join(aether.control.settings.dataFolder, "incoming"))).toEqual([]);
});

test("an upload in parts of the same bytes ends with it", async () => {
  await using aether = await createHarness();
  const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
  await post(aether.api, form({ app_name: "shop", artifact: bytes }));
  const listed = aether.storage.listParts(String(upload.storage_key), String(upload.upload_id));
  expect(listed).rejects.toMatchObject({ code: "not_found" });
});

test.each([
  ["without a file", form({ app_name: "shop" }), {}, 400, "bad_request"],
  ["without an app", form({ artifact: bytes }), {}, 400, "bad_request"],
  ["with a file under another name", form({ app_name: "shop", file: bytes }), {}, 400, "bad_request"],
  ["of other bytes", form({ app_name: "shop", artifact: someBytes("other") }), {}, 400, "digest_mismatch"],
  [
    "that is larger than allowed",
    form({ app_name: "shop", artifact: new Uint8Array(2_000_000) }),
    {},
    413,
    "payload_too_large",
  ],
  ["without a boundary", "x", { "content-type": "multipart/form-data" }, 400, "bad_request"],
  ["that ends early", "--b\r\n", { "content-type": "multipart/form-data; boundary=b" }, 400, "bad_request"],
  [
    "without a digest",
    form({ app_name: "shop", artifact: bytes }),
    { "x-aether-artifact-digest": "" },
    400,
    "missing_digest",
  ],
])("a form %s is refused, and nothing is kept", async (_what, body, headers, status, code) => {
  await using aether = await createHarness();
  const answer = await post(aether.api, body, headers as Record<string, string>);
  expect(answer).toMatchObject({ status, body: { code } });
  const kept = await readdir(join(aether.control.settings.dataFolder, "incoming")).catch(() => []);
  expect(kept).toEqual([]);
  expect(aether.lines.join("\n")).not.toContain('"level":"error"');
});

test("a form of unknown length that grows too large is refused, and one that is cut off leaves nothing", async () => {
  await using aether = await createHarness();
  const incoming = join(aether.control.settings.dataFolder, "incoming");
  const open = () =>
    openRequest({
      url: `${aether.api}/artifacts`,
      method: "POST",
      headers: {
        "x-aether-artifact-digest": digestOf(bytes),
        "content-type": "multipart/form-data; boundary=b",
        "transfer-encoding": "chunked",
      },
    });
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const head = `--b\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n`;
  const endless = await open();
  await send(endless, chunk(head));
  for (let sent = 0; sent < 2; sent += 1) await send(endless, chunk("x".repeat(800_000)));
  expect(await statusOf(endless)).toBe(413);

  const cut = await open();
  await send(cut, chunk(`${head}${"x".repeat(100_000)}`));
  await waitFor("the file is being received", async () => (await readdir(incoming)).length === 1);
  cut.destroy();
  await waitFor("what was received is gone", async () => (await readdir(incoming)).length === 0);
});

test("more uploads than there are slots are asked to come back, on every way through the server", async () => {
  await using aether = await createHarness({ settings: { maxConcurrentUploads: 1 } });
  const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const { body: presigned } = await aether.send("POST", "/artifacts/presign", request);
  const { upload_url: url, headers } = presigned;
  const first = await openRequest({ url, method: "PUT", headers });
  await send(first, bytes.subarray(0, 4));
  const refused = await waitFor("the slot is taken", async () => {
    const answer = await post(aether.api, form({ app_name: "shop", artifact: bytes }));
    return answer.status === 429 ? answer : undefined;
  });
  expect(refused.body).toMatchObject({ code: "rate_limited", request_id: expect.any(String) });
  expect(refused.headers.get("retry-after")).toBe("2");
  const second = await fetch(url, { method: "PUT", headers, body: bytes.slice() });
  expect(second.status).toBe(429);
  expect(second.headers.get("retry-after")).toBe("2");
  await send(first, bytes.subarray(4));
  expect(await statusOf(first)).toBe(200);
  expect((await post(aether.api, form({ app_name: "shop", artifact: bytes }))).status).toBe(200);
});
