import { resolve } from "node:path";
import { z } from "zod";
import type { ComponentContext } from "../../pubsub/component.ts";
import { bytes, duration, text } from "../../pubsub/options.ts";
import type { StoreSettings } from "./protocol.ts";

export const WEEK_MS = 7 * 86_400_000;

export const options = z.strictObject({
  file: text()
    .optional()
    .describe("The file that holds the messages, relative to the data directory. Default: embedded-NAME.db, NAME being the component's."),
  retention: duration()
    .default(WEEK_MS)
    .describe("How long a message stays for replay after every group is done with it, or when there is no group. Default: 7d."),
  retentionBytes: bytes()
    .default(2 ** 30)
    .describe("How many bytes a topic may take before such messages go earlier, oldest first. Default: 1GiB."),
  maxBytes: bytes()
    .optional()
    .describe(
      "How large the file may become. An eighth of it, at most 64MiB, is for acknowledging alone; past the rest a publish fails with resource_exhausted. Default: the disk.",
    ),
});

export type Options = z.output<typeof options>;

export function storeSettings(given: Options, context: ComponentContext): StoreSettings {
  const name = context.name.replaceAll(/[^\w.-]/g, (character) => `%${character.codePointAt(0)?.toString(16)}`);
  return {
    file: resolve(context.dataDir, given.file ?? `embedded-${name}.db`),
    retentionMs: given.retention,
    retentionBytes: given.retentionBytes,
    maxBytes: given.maxBytes,
  };
}
