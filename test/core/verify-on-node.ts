// Runs the agent's verification on the runtime it is started with, over vectors from standard input. Prints the verdicts.
import { readFileSync } from "node:fs";
import { isSigned } from "../../src/agent/verify-signature.ts";
import type { SignatureVector } from "./signature-vectors.ts";

const vectors = JSON.parse(readFileSync(0, "utf8")) as SignatureVector[];
const verdicts = vectors.map(({ text, signature, publicKey }) => isSigned(text, signature, [publicKey]));
console.log(JSON.stringify({ bun: "Bun" in globalThis, verdicts }));
