import { PUBLISHING } from "../conformance/engine/policy.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { Capabilities } from "../pubsub/capabilities.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { PublishPolicy } from "../resiliency/policy.ts";
import { PubSubMeasures } from "../telemetry/measures.ts";
import { Budget } from "./budget.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";

export const away = new PubSubError("unavailable", "connection refused");
export const replyLost = new PubSubError("unavailable", "reply lost", { outcome: "unknown" });

interface Change {
  readonly policy?: Partial<PublishPolicy>;
  readonly options?: OutboxOptions;
  readonly capabilities?: Partial<Capabilities>;
  readonly limit?: number;
}

/** A broker that records the calls and answers when the test says so. Unless a test says otherwise, each publish arrives at a time of its own. */
export function setUp(change: Change = {}) {
  const clock = new SteppedClock(0);
  const calls: { readonly batch: readonly Outgoing[]; readonly signal: AbortSignal }[] = [];
  /** What it answers at once, if anything. */
  const broker: { refuses?: PubSubError } = {};
  const pubsub = {
    capabilities: { maxBatch: 100, maxBatchBytes: 1e6, publishPipeline: 1, ...change.capabilities },
    publish: (batch: readonly Outgoing[], signal: AbortSignal) => {
      calls.push({ batch, signal });
      if (broker.refuses) for (const one of batch) one.done(broker.refuses);
    },
  } as unknown as PubSub;
  const budget = new Budget(change.limit ?? 1e9);
  const measures = new PubSubMeasures();
  const policy = { ...PUBLISHING, ...change.policy };
  const outbox = new Outbox(pubsub, budget, clock, policy, { soon: (fn) => fn(), ...change.options }, measures);
  const results: Record<string, string> = {};
  /** Whose publish was answered, in the order of the answers. */
  const answers: string[] = [];
  const publish = (
    name: string,
    more: { topic?: string; dedupId?: string; size?: number; deadline?: number; key?: string | undefined } = {},
  ) => {
    const message = {
      topic: more.topic ?? "t",
      data: Buffer.alloc(more.size ?? 1, name),
      attributes: { name },
      key: "key" in more ? more.key : "k",
    };
    outbox.publish(
      more.dedupId === undefined ? message : { ...message, dedupId: more.dedupId },
      {
        published: (error) => {
          answers.push(name);
          results[name] = error ? `${error.code}: ${error.message}` : "ok";
        },
      },
      more.deadline,
    );
  };
  const names = () => calls.map((call) => call.batch.map((one) => one.attributes.name).join(""));
  const answer = (call: number, error?: PubSubError) => {
    for (const one of calls[call]?.batch ?? []) one.done(error);
  };
  return { clock, broker, calls, budget, measures, outbox, results, answers, publish, names, answer };
}
