import { expect, test } from "bun:test";
import { appNamePattern, appNameProblem } from "../../src/core/app-name.ts";
import { wireCodes } from "../../src/lib/errors.ts";
import { createAnswerCheck } from "../harness/answer-check.ts";
import { createHarness } from "../harness/control-plane.ts";

test("the document is OpenAPI 3.1, says how to authenticate, and every operation has a noun, a summary and its errors", async () => {
  await using aether = await createHarness();
  const { body: document } = await aether.send("GET", "/openapi.json");
  expect(document.openapi).toBe("3.1.0");
  expect(document.components.securitySchemes.bearer).toEqual({ type: "http", scheme: "bearer" });
  expect(document.components.schemas.Error.properties.code.enum).toEqual(wireCodes);
  expect(document.info.description).toContain("pending → verifying → stored");
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path as Record<string, Operation>));
  expect(operations.length).toBeGreaterThan(20);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { operationId, tags, summary, responses, security } of operations) {
    expect(operationId).toMatch(/^[a-z-]+(\.[a-zA-Z]+)+$/);
    expect(tags).toEqual([operationId.split(".")[0] ?? ""]);
    expect(summary, operationId).toMatch(/^[A-Z]/);
    if (security === undefined) expect(Object.keys(responses), operationId).toContain("401");
  }
});

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  responses: Record<string, unknown>;
  security?: unknown[];
}

test("an answer that differs from the document is found", () => {
  const ok = { description: "", content: { "application/json": { schema: { type: "object", required: ["id"] } } } };
  const problemOf = createAnswerCheck({
    paths: { "/things/{id}": { get: { operationId: "things.show", responses: { "200": ok } } } },
  });
  const answer = { method: "GET", path: "/things/7", status: 200, contentType: "application/json", body: '{"id":7}' };
  expect(problemOf(answer)).toBeUndefined();
  expect(problemOf({ ...answer, body: "{}" })).toContain("differs from its schema");
  expect(problemOf({ ...answer, status: 418 })).toContain("answered 418, which its document does not know");
  expect(problemOf({ ...answer, contentType: "text/html" })).toContain("as text/html");
});

test.each([
  "shop",
  "a",
  "a-b",
  "9a",
  "a--b",
  "-a",
  "a-",
  "aether",
  "kube-x",
  "kubernetes",
  "kubernetes2",
  "A",
  "a".repeat(51),
])("the document's pattern and the rule agree on %j", (name) =>
  expect(new RegExp(appNamePattern).test(name)).toBe(appNameProblem(name) === undefined),
);

test("the API's page and all it loads come from the server itself", async () => {
  await using aether = await createHarness();
  const { status, body: page } = await aether.send("GET", "/docs/api");
  expect(status).toBe(200);
  const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
  expect(links).toContain("/docs/assets/swagger-ui.js");
  for (const link of links) {
    expect(link).toStartWith("/");
    expect((await fetch(`${aether.api}${link}`)).status, link).toBe(200);
  }
  expect((await aether.send("GET", "/swagger")).headers.get("location")).toBe("/docs/api");
  expect((await aether.send("GET", "/docs/assets/nothing.js")).status).toBe(404);
});
