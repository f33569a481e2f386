import { count } from "layotto-sidecar";
import { z } from "zod";

export const options = z.strictObject({
  mostMessages: count(1).default(1_000).describe("How many messages a topic keeps; past it a publish fails. Default: 1000."),
});

export type Options = z.output<typeof options>;
