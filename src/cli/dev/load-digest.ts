import type { AppConfig } from "../../core/app-config.ts";
import { type Digest, shortDigest } from "../../core/digest.ts";
import type { DeploymentView } from "../../core/wire.ts";
import type { Client } from "../client.ts";
import type { CommandContext } from "../command.ts";
import { type FollowedFields, followRelease } from "../follow-release.ts";

/** A stored digest, and what it is to be loaded into. */
export interface WantedDigest {
  app: string;
  digest: Digest;
  /** Whose configuration the digest runs with. */
  config: AppConfig | null;
  /** What runs, or is about to; absent: nothing. */
  current: DeploymentView | undefined;
}

/** Makes a dev-hot deployment of it, and waits until every replica runs it; where it is in force already, it only waits. */
export async function loadDigest(wanted: WantedDigest, context: CommandContext & { client: Client }) {
  const { app, digest, current } = wanted;
  const { output, client } = context;
  if (current?.dev_hot && current.digest === digest) {
    output.step(`${app}: v${current.version} has this digest already`);
    return { app, digest, ...(await follow(current, wanted, context)) };
  }
  if (current && !current.dev_hot) {
    output.step(`${app}: v${current.version} was not deployed for hot reload, so that this one gets new replicas`);
  }
  const made = await client.createDeployment(await requestOf(wanted, client), crypto.randomUUID());
  output.step(`${app}: v${made.version} brings ${shortDigest(digest)}`);
  return { app, digest, ...(await follow(made, wanted, context)) };
}

function follow(
  { id, version }: { id: string; version: number },
  { app }: WantedDigest,
  context: CommandContext & { client: Client },
): Promise<FollowedFields> {
  return followRelease({ app, id, version, detach: false }, context);
}

async function requestOf({ app, digest, config, current }: WantedDigest, client: Client) {
  const wanted = current && (await client.deployment(current.id)).wanted_replicas;
  return {
    ...{ app_name: app, digest, dev_hot: true },
    ...(config === null ? {} : { config }),
    ...(wanted ? { replicas: wanted } : {}), // none of an app that is stopped: its scale goes before
  };
}
