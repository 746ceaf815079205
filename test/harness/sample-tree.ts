import type { TreeNode } from "./tree.ts";

/** Words that compress about as well as code does: the same for the same seed. */
export function words(seed: number, bytes: number): string {
  let state = seed + 1;
  const parts: string[] = [];
  for (let size = 0; size < bytes; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const word = `${(state >>> 12).toString(36)} `;
    parts.push(word);
    size += word.length;
  }
  return parts.join("").slice(0, bytes);
}

/** An application of about 11 MB in 250 files: packages small and large, one file of several members, links, folders. */
export function sampleTree(): Record<string, TreeNode> {
  const tree: Record<string, TreeNode> = {
    "server.js": "require('package-1')",
    "bin/run": { executable: "#!/bin/sh\n" },
    uploads: null,
    "data/model.bin": words(1, 5_000_000),
    "node_modules/.bin/package-1": { link: "../package-1/0.js" },
    "node_modules/.package-lock.json": "state",
    ".env": "SECRET=1",
  };
  for (let number = 0; number < 60; number += 1) {
    for (let file = 0; file < 4; file += 1) {
      tree[`node_modules/package-${number}/${file}.js`] = words(number * 10 + file, number === 7 ? 900_000 : 10_000);
    }
  }
  return tree;
}
