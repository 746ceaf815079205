import { randomBytes } from "node:crypto";
import { eventTypes, isEventPattern } from "../../../core/events.ts";
import { longestReceiver, receiverProblem } from "../../../core/receiver-address.ts";
import { AetherError } from "../../../lib/errors.ts";
import { didYouMean } from "../../../lib/nearest.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { badValue } from "../../usage.ts";

export default defineCommand({
  meta: { name: "webhooks create", description: "Have events sent to a URL" },
  args: {
    url: { type: "positional", required: true, description: "Where they are sent, as signed POSTs" },
    ...appArgs,
    app: { type: "string", valueHint: "name", description: "Only this app's (AETHER_APP; default: all apps')" },
    events: {
      type: "string",
      valueHint: "list",
      default: "*",
      description: "Which, separated by commas; deployment.*",
    },
    "secret-stdin": { type: "boolean", description: "Read the signing secret from standard input" },
  },
  examples: [
    ["aether webhooks create https://ci.example.com/hook --app shop", "with a new secret, which is shown once"],
    ["aether webhooks create https://ci.example.com/hook --events artifact.stored,deployment.*", "only these"],
    ["aether webhooks create https://ci.example.com/hook --secret-stdin < secret.txt", "with a secret of your own"],
  ],
  async run({ args, config, output, signal }) {
    const given = args["secret-stdin"] === true ? await readSecret() : undefined;
    const secret = given ?? randomBytes(32).toString("hex");
    const events = args.events.split(",").map((event) => givenEvent(event.trim()));
    const url = givenUrl(args.url);
    const app = config.app === undefined ? {} : { app: config.app };
    const webhook = await createClient({ ...config, signal }).createWebhook({ url, secret, events, ...app });
    const shown = given === undefined ? { secret } : {};
    if (output.isJson) return output.json({ ...webhook, ...shown });
    output.done(`Events of ${webhook.app ?? "all apps"} are sent to ${webhook.url} (webhook ${webhook.id}).`);
    if (given !== undefined) return;
    output.done("Its secret follows on stdout, and is never shown again.");
    output.text(`${secret}\n`);
  },
});

async function readSecret(): Promise<string> {
  const secret = (await Bun.stdin.text()).trim();
  if (secret.length >= 16) return secret;
  throw new AetherError("usage", "Standard input held no secret of 16 or more characters.", {
    hint: "Make one with: openssl rand -hex 32",
  });
}

/** Which addresses are allowed is for the server to say. */
function givenUrl(given: string): string {
  const isLong = given.length > longestReceiver;
  const why = isLong ? `it takes at most ${longestReceiver} characters` : receiverProblem(given, "any");
  if (why === undefined) return given;
  throw badValue({
    of: "The URL",
    given: given.replace(/\/\/[^/]*@/, "//…@"),
    why,
    hint: "For example: https://ci.example.com/hook.",
  });
}

function givenEvent(given: string): string {
  if (isEventPattern(given)) return given;
  throw badValue({
    of: "--events",
    given,
    why: "it takes events such as deployment.failed, all of a noun such as deployment.*, or *",
    hint: didYouMean(given, eventTypes) ?? `The events are ${eventTypes.join(", ")}.`,
  });
}
