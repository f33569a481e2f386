import { z } from "zod";
import { bytes, text } from "../../pubsub/options.ts";

export const options = z.strictObject({
  maxBytes: bytes()
    .default(64 * 2 ** 20)
    .describe("How many bytes of messages are kept; past it a publish fails with resource_exhausted. Default: 64MiB."),
  broker: text()
    .optional()
    .describe("Components of one process that name the same broker share its messages. Default: a broker of its own."),
});

export type Options = z.output<typeof options>;
