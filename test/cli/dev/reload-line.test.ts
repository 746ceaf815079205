import { expect, test } from "bun:test";
import { createReport } from "../../../src/cli/deploy/report.ts";
import { reloadJson, reloadLine } from "../../../src/cli/dev/reload-line.ts";
import type { DeploymentStatusView } from "../../../src/core/wire.ts";
import { AetherError } from "../../../src/lib/errors.ts";

const timings = { detect_ms: 10, install_ms: 50, check_ms: 5, pack_ms: 25, upload_ms: 40, start_ms: 82, total_ms: 212 };
const fields = { ...createReport().fields, app: "shop", version: 7, uploaded_bytes: 1_234, timings };
const replica = (version: number, state: string) => ({ version, state });
const deployment = {
  status: "running",
  version: 7,
  wanted_replicas: 2,
  replicas: [replica(7, "running"), replica(6, "running"), replica(7, "starting")],
} as unknown as DeploymentStatusView;

test("a reload is one line: what changed, bytes, milliseconds by stage, replicas", () => {
  expect(reloadLine({ changed: ["server.js"], fields, deployment })).toBe(
    "server.js → v7: 1.2 KB uploaded, 212 ms (pack 90, upload 40, load 82), replicas 1/2",
  );
  expect(
    reloadLine({ changed: ["a", "b"], fields: { ...fields, timings: { ...timings, build_ms: 300 } }, deployment }),
  ).toBe("2 files → v7: 1.2 KB uploaded, 212 ms (build 300, pack 90, upload 40, load 82), replicas 1/2");
});

test("as JSON it is one line, of thousands of paths the first hundred", () => {
  const changed = Array.from({ length: 5_000 }, (_, at) => `file-${at}`);
  const line = reloadJson({ changed, fields, deployment });
  expect(line).not.toContain("\n");
  const { changed: told, ...others } = JSON.parse(line);
  expect(told).toEqual(changed.slice(0, 100));
  expect(others).toMatchObject({ status: "running", changed_count: 5_000, replicas: { running: 1, wanted: 2 } });
});

test("a failure tells its cause beside what changed", () => {
  const error = new AetherError("build_failed", "The build failed.", { hint: "Mend it.", details: { log: ["no"] } });
  expect(JSON.parse(reloadJson({ changed: ["a.ts"], fields }, error))).toMatchObject({
    status: "failed",
    code: "build_failed",
    hint: "Mend it.",
    log: ["no"],
    changed: ["a.ts"],
  });
});
