// Prints why tests were skipped, and the counts of a JUnit report as the run's last line. Exits 1 when anything failed.
import { readFile } from "node:fs/promises";

const [reportPath = "", skipsPath = "", failedSteps = "0"] = process.argv.slice(2);

const report = await readFile(reportPath, "utf8").catch(() => "");
const totals = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? "";
const count = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);

const skipped = count("skipped");
const failedTests = count("failures") + count("errors");
// The step that ran the tests failed because of them: it is counted once, as the tests it holds.
const failed = failedTests + Math.max(0, Number(failedSteps) - (failedTests > 0 ? 1 : 0));
const passed = count("tests") - skipped - failedTests;

const reasons = new Set((await readFile(skipsPath, "utf8").catch(() => "")).split("\n").filter((line) => line !== ""));
if (skipped > 0 && process.env.AETHER_TEST_FULL !== "1") reasons.add("long tests: they run with AETHER_TEST_FULL=1");
for (const reason of reasons) console.log(`skipped: ${reason}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
