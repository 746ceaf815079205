import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, startServe } from "../harness/binary.ts";
import { tier } from "../harness/tier.ts";

const schemathesis = Bun.which("schemathesis");
const tools = tier("tools", () =>
  schemathesis === null ? "no schemathesis on PATH (pip install schemathesis)" : undefined,
);
const full = process.env.AETHER_TEST_FULL === "1";
const token = "a-token-for-the-fuzzer-0123456789";

// Streams that follow do not end by themselves, and what schemathesis makes of `id` in an answer is not our path's name.
const sockets = ["apps.logs.socket", "apps.exec", "apps.run", "apps.forward"];
const excluded = ["apps.logs", ...sockets, "events.listen"].flatMap((id) => ["--exclude-operation-id", id]);
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "unsupported_method",
  "ignored_auth",
];

/** What it knows as refusals, and 413: a list that is too long may be too large as well, and is refused for that first. */
const refusals = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"];

test.skipIf(!tools.available)(
  "inputs made from the API's own document never find a 5xx, or an answer that the document does not know",
  async () => {
    await using user = await createUser();
    await using server = await startServe(user, {
      env: { AETHER_API_TOKENS: `${token}:admin:fuzzer`, AETHER_RATE_LIMIT: "off" },
    });
    const config = join(user.path, "schemathesis.toml");
    await writeFile(config, `[checks]\nnegative_data_rejection.expected-statuses = ${JSON.stringify(refusals)}\n`);
    const command = [
      ...[schemathesis ?? "", "--config-file", config],
      "run",
      `${server.api}/openapi.json`,
      ...[
        "--url",
        server.api,
        "--header",
        `Authorization: Bearer ${token}`,
        "--no-color",
        "--suppress-health-check=all",
      ],
      ...["--max-examples", full ? "200" : "10", "--request-timeout", "20", "--checks", checks.join(",")],
      ...["--continue-on-failure", ...excluded],
    ];
    const fuzzer = Bun.spawn(command, { cwd: user.path, env: user.env, stdout: "pipe", stderr: "pipe" });
    const story = await new Response(fuzzer.stdout).text();
    expect(await fuzzer.exited, story.slice(-8_000)).toBe(0);
    expect(await (await fetch(`${server.api}/readyz`)).json()).toMatchObject({ status: "ok" });
  },
  full ? 1_200_000 : 240_000,
);
