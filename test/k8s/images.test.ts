import { describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageFolder } from "../harness/base-image.ts";

const root = join(import.meta.dir, "..", "..");
const dockerfile = async (major: number) =>
  (await readFile(join(imageFolder(major), "Dockerfile"), "utf8")).split("\n");

describe.each([20, 22])("the Dockerfile of Node.js %d", (major) => {
  test("is pinned to one image of that version, by digest", async () => {
    const lines = await dockerfile(major);
    const base = lines.find((line) => line.startsWith("ARG BASE="));
    expect(base).toMatch(new RegExp(`^ARG BASE=node:${major}\\.\\d+\\.\\d+-bookworm-slim@sha256:[0-9a-f]{64}$`));
    expect(lines.filter((line) => line.startsWith("FROM "))).toEqual(["FROM ${BASE} AS base", "FROM scratch"]);
  });

  test("ends as a user by number that is not root, with tini in front", async () => {
    const lines = await dockerfile(major);
    expect(lines.filter((line) => line.startsWith("USER "))).toEqual(["USER 1000:1000"]);
    expect(lines).toContain('ENTRYPOINT ["tini", "-g", "--"]');
    expect(lines.findIndex((line) => line.startsWith("USER "))).toBeGreaterThan(lines.indexOf("FROM scratch"));
  });

  test("brings nothing from elsewhere and no secret", async () => {
    const text = (await dockerfile(major)).join("\n");
    expect(text).not.toMatch(/^ADD |curl|wget|https?:|token|password/im);
  });
});

test("the Dockerfile of the server has the base of the applications, and ends as a user by number that is not root", async () => {
  const text = await readFile(join(root, "k8s", "images", "aether", "Dockerfile"), "utf8");
  const lines = text.split("\n");
  expect(lines).toContain((await dockerfile(20)).find((line) => line.startsWith("ARG BASE=")) ?? "");
  expect(lines.filter((line) => line.startsWith("USER "))).toEqual(["USER 1000:1000"]);
  expect(text).not.toMatch(/^ADD |curl|wget|https?:|token|password/im);
});

test("the Dockerfiles of Node.js differ by the line of their base", async () => {
  const [one, other] = [await dockerfile(20), await dockerfile(22)];
  expect(one.length).toBe(other.length);
  expect(one.filter((line, at) => line !== other[at])).toEqual([expect.stringMatching(/^ARG BASE=/)]);
});

test("the workflow builds each of them by the clock, scans it before it publishes, and pins what it uses", async () => {
  const text = await readFile(join(root, ".github", "workflows", "base-image.yml"), "utf8");
  const used = [...text.matchAll(/uses: (.*)/g)].map(([, action]) => action);
  expect(used.length).toBeGreaterThan(0);
  for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  const { on, jobs } = Bun.YAML.parse(text) as { on: Record<string, unknown>; jobs: { build: Job } };
  expect(on).toHaveProperty("schedule");
  const folders = (await readdir(join(root, "k8s", "images")))
    .filter((name) => name.startsWith("aether-nodejs-"))
    .sort();
  expect(jobs.build.strategy.matrix.major.map((major) => `aether-nodejs-${major}-slim`)).toEqual(folders);
  expect(jobs.build.steps.map(({ name }) => name)).toEqual([undefined, "Build", "Run", "Scan", "Publish"]);
});

interface Job {
  strategy: { matrix: { major: number[] } };
  steps: { name?: string }[];
}
