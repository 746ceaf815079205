import { expect, test } from "bun:test";
import type { KubernetesObject } from "@kubernetes/client-node";
import { objects } from "../../../src/k8s/builders/objects.ts";
import { appRelease, fullRelease, hotRelease } from "../../harness/app-release.ts";
import { kubeconform, kubeconformTier } from "../../harness/kubeconform.ts";

const tier = kubeconformTier();

test.skipIf(!tier.available)("every object keeps to the schema of its kind", async () => {
  expect(await kubeconform([...objects(appRelease()), ...objects(fullRelease()), ...objects(hotRelease())])).toEqual(
    [],
  );
});

test.skipIf(!tier.available)(
  "kubeconform finds a field that no kind has, one of the wrong type, and a kind without a schema",
  async () => {
    const [account = {}] = objects(appRelease());
    const wrong: KubernetesObject[] = [
      Object.assign({}, account, { automount: true }),
      Object.assign({}, account, { automountServiceAccountToken: "no" }),
      { apiVersion: "example.com/v1", kind: "Unheard", metadata: { name: "shop" } },
    ];
    expect(await kubeconform(wrong)).toEqual([
      expect.stringContaining("automount"),
      expect.stringContaining("automountServiceAccountToken"),
      expect.stringContaining("could not find schema"),
    ]);
  },
);
