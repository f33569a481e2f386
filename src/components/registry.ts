import type { ComponentDefinition } from "../pubsub/component.ts";

// biome-ignore lint/suspicious/noExplicitAny: each component has options of its own; only its own schema and `open` meet them.
type AnyDefinition = ComponentDefinition<any>;

/** Every component type, loaded on first use: starting with Redis loads no other broker's client. */
export const components: Readonly<Record<string, () => Promise<{ readonly definition: AnyDefinition }>>> = {
  embedded: () => import("./embedded/index.ts"),
  "in-memory": () => import("./in-memory/index.ts"),
  kafka: () => import("./kafka/index.ts"),
  redis: () => import("./redis/index.ts"),
  rocketmq: () => import("./rocketmq/index.ts"),
  snssqs: () => import("./snssqs/index.ts"),
};

/** Types as other programs name them. */
export const aliases: Readonly<Record<string, string>> = { "aws.snssqs": "snssqs" };
