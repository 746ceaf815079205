import { describe, expect, test } from "bun:test";
import { deployments } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { tier } from "../harness/tier.ts";

/** Every name of the design's list. */
const names = `artifact_presign_requests_total artifact_presign_failures_total artifact_complete_duration_seconds
artifact_complete_failures_total artifact_upload_bytes_total artifact_upload_duration_seconds artifact_put_duration_seconds artifact_uploads_in_progress artifacts_total artifacts_stored
artifact_size_exceeded_total artifact_digest_mismatch_total artifact_quota_exceeded_total artifact_pending_gc_runs_total artifact_pending_gc_deleted_total
artifact_legacy_upload_requests_total artifact_events_total artifact_multipart_inits_total artifact_multipart_part_presigns_total artifact_multipart_completes_total
artifact_multipart_complete_failures_total artifact_multipart_part_size_bytes artifact_multipart_parts_per_artifact artifact_remote_hash_total
artifact_remote_hash_bytes_total artifact_remote_hash_duration_seconds artifact_verify_failure_total artifacts_with_sbom artifacts_signed artifacts_with_provenance
sbom_uploads_total sbom_validation_total deployments_running_total deployments_running deployment_time_to_running_seconds deployments_failed_total
dev_hot_refresh_total dev_hot_refresh_failure_total dev_hot_refresh_latency_seconds dev_hot_consecutive_failures aether_release_info
http_requests_total http_request_duration_seconds`.split(/\s+/);

type Harness = Awaited<ReturnType<typeof createHarness>>;

const scrape = async (aether: Harness): Promise<string> => (await aether.send("GET", "/metrics")).body;

/** One of everything that is counted. */
async function useAll(aether: Harness): Promise<void> {
  const bytes = someBytes("measured");
  const { digest } = await aether.store("shop", bytes);
  await aether.send("POST", "/artifacts/complete", { app_name: "shop", digest, size_bytes: bytes.length + 1 });
  const other = { app_name: "shop", digest: digestOf(someBytes("other")), size_bytes: 5 };
  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", other);
  const part = { ...other, upload_id: upload.upload_id, part_number: 1 };
  const { body: signed } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
  const sent = await put({ upload_url: signed.url, headers: signed.headers }, someBytes("other"));
  const parts = [{ part_number: 1, etag: sent.headers.get("etag") }];
  await aether.send("POST", "/artifacts/multipart/complete", { ...part, parts: [{ part_number: 1, etag: "no" }] });
  await aether.send("POST", "/artifacts/multipart/complete", { ...part, parts });
  await aether.send("POST", "/artifacts/presign", { ...other, size_bytes: 2_000_000 });
  for (const verdict of ["succeed", "fail"] as const) {
    await aether.send("POST", "/deployments", { app_name: "shop", digest });
    await aether.rollouts.settle();
    aether.advance(2000);
    aether.runtime[verdict]("shop");
    await aether.rollouts.settle();
  }
}

withDatabases("metrics", (open) => {
  test("all names of the design are there from the start, the counts at zero (REG-E6, MVP-S5)", async () => {
    await using aether = await createHarness({ open });
    const text = await scrape(aether);
    const typed = new Set([...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name]) => name));
    expect(names.filter((name) => !typed.has(name))).toEqual([]);
    for (const name of [
      "artifacts_total",
      "artifacts_stored",
      "artifact_quota_exceeded_total",
      "deployments_running",
    ]) {
      expect(text).toContain(`\n${name} 0\n`);
    }
    expect(text).toContain('deployments_failed_total{reason="crash_loop"} 0');
  });

  test("what happens is counted under its name", async () => {
    await using aether = await createHarness({ open });
    await useAll(aether);
    const text = await scrape(aether);
    for (const line of [
      "artifact_presign_requests_total 2",
      "artifact_presign_failures_total 1",
      "artifact_size_exceeded_total 1",
      "artifacts_total 2",
      "artifact_upload_bytes_total 13",
      "artifact_upload_duration_seconds_count 2",
      "artifact_put_duration_seconds_count 2",
      "artifact_complete_failures_total 1",
      "artifact_complete_duration_seconds_count 3",
      "artifact_events_total 6",
      "artifact_multipart_inits_total 1",
      "artifact_multipart_part_presigns_total 1",
      "artifact_multipart_completes_total 1",
      "artifact_multipart_complete_failures_total 1",
      "artifact_multipart_parts_per_artifact_sum 1",
      "artifacts_stored 2",
      "artifacts_signed 0",
      "artifact_uploads_in_progress 0",
      "deployments_running_total 1",
      "deployments_running 1",
      "deployment_time_to_running_seconds_sum 2",
      `aether_release_info{app="shop",digest12="${digestOf(someBytes("measured")).slice(0, 12)}",commit=""} 1`,
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).toMatch(/^deployments_failed_total\{reason="\w+"\} 1$/m);
  });

  test("a path's label is the route's template and never what was asked for", async () => {
    await using aether = await createHarness({ open });
    await useAll(aether);
    const [deployment] = await aether.control.db.select().from(deployments);
    const digest = digestOf(someBytes("measured"));
    for (const path of [
      `/deployments/${deployment?.id}`,
      "/apps/shop/deployments",
      "/apps/secret-app",
      "/no/such/path",
    ])
      await aether.send("GET", path);
    await aether.send("HEAD", `/artifacts/${digest}`);
    await aether.send("MADEUP", "/apps");
    const text = await scrape(aether);
    for (const labels of [
      'method="GET",path="/deployments/{id}",status="200",outcome="ok"',
      'method="GET",path="/apps/{app}/deployments",status="200",outcome="ok"',
      'method="HEAD",path="/artifacts/{digest}",status="200",outcome="ok"',
      'method="GET",path="unmatched",status="404",outcome="client_error"',
      'method="PUT",path="/storage/{key}",status="200",outcome="ok"',
    ]) {
      expect(text).toContain(`http_requests_total{${labels}} `);
    }
    const paths = [...text.matchAll(/^http_\S*path="([^"]*)"/gm)].map(([, path]) => path ?? "");
    expect(paths.filter((path) => /[0-9a-f]{8}|shop|secret|such/.test(path))).toEqual([]);
    expect(text).not.toContain("MADEUP");
  });

  test("while the database is away, what it would know is not a number, and the rest is told", async () => {
    await using aether = await createHarness({ open });
    const { db } = aether.control;
    aether.control.db = new Proxy(db, {
      get: (target, name) => {
        if (name === "select") throw new Error("away");
        return Reflect.get(target, name);
      },
    });
    const text = await scrape(aether);
    aether.control.db = db;
    expect(text).toContain("\nartifacts_stored Nan\n");
    expect(text).toContain("\nartifacts_total 0\n");
    expect(await scrape(aether)).toContain("\nartifacts_stored 0\n");
  });
});

const promtool = tier("tools", () => (Bun.which("promtool") ? undefined : "no promtool (Debian: prometheus)"));

describe.skipIf(!promtool.available)("promtool", () => {
  test("check metrics finds nothing to say (MVP-S5)", async () => {
    await using aether = await createHarness();
    await useAll(aether);
    const checking = Bun.spawn(["promtool", "check", "metrics"], {
      stdin: new Blob([await scrape(aether)]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await new Response(checking.stdout).text()) + (await new Response(checking.stderr).text());
    expect([await checking.exited, said]).toEqual([0, ""]);
  });
});
