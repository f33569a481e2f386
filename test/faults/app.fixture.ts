// An app in a process of its own. It writes down what it gets before it does anything with it: a line that is in the pipe outlives kill -9.
import { once } from "node:events";
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { setTimeout as passes } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema } from "layotto-proto/appcallback";
import { decodeTopicEvent } from "layotto-proto/topic-event";
import { createPublisher, createSubscriber, type HandlerResult } from "layotto-sdk";
import { type Handlers, listen, parseAddress, type ServerCall, Status } from "layotto-transport";
import { DEAD_LETTER } from "../../src/engine/dead-letter.ts";
import { type AppConduct, type AppOrders, FOLLOW_UP } from "./app-conduct.ts";
import { read, written } from "./payload.ts";

const orders = JSON.parse(process.argv[2] ?? "") as AppOrders;
const { conduct, pubsub, topics, deadLetterTopic } = orders;
const seen = new Set<number>();
let calls = 0;
/** Whatever is written to us. */
const told = once(process.stdin, "data");

/** Not by `process.stdout`, which keeps in memory what a full pipe does not take, and returns: a line must be out before the answer is. */
const say = (...words: readonly (string | number)[]): void => {
  writeSync(1, `${words.join(" ")}\n`);
};

/** One call, as the ledger will have it. */
function called(data: Uint8Array, replica: number): { number: number; key: string | undefined; first: boolean; end(result: string): void } {
  const message = read(data);
  if (!message) throw new Error("the app got a message that nobody here has published");
  const { number, key } = message;
  const call = ++calls;
  say("called", call, number, key ?? "-", replica, Date.now());
  const first = !seen.has(number);
  seen.add(number);
  return { number, key, first, end: (result) => say("ended", call, result) };
}

/** Not with the SDK: it cannot answer wrongly. */
function answersWrongly(wrong: Extract<AppConduct, { every: number }>, replica: number): Handlers {
  const subscriptions = topics.map((topic) => ({ pubsubName: pubsub, topic, metadata: {} }));
  const list = create(ListTopicSubscriptionsResponseSchema, { subscriptions });
  const answer = (bytes: Uint8Array, call: ServerCall): void => {
    const { number, first, end } = called(decodeTopicEvent(bytes).data, replica);
    const right = !first || number % wrong.every !== 0;
    end(right ? "succeeded" : "failed");
    if (right) call.respond(new Uint8Array());
    else if (wrong.kind === "errors") call.fail(Status.INTERNAL, "as it was told to");
    else call.respond(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07, 0xfe));
  };
  return {
    "/spec.proto.runtime.v1.AppCallback/ListTopicSubscriptions": (_, call) =>
      call.respond(toBinary(ListTopicSubscriptionsResponseSchema, list)),
    "/spec.proto.runtime.v1.AppCallback/OnTopicEvent": answer,
  };
}

function refuses(number: number, key = ""): boolean {
  if (conduct.kind === "refuses") return number % conduct.every === 0;
  return conduct.kind === "refuses-keys" && key.startsWith(conduct.prefix);
}

async function handle(
  data: Uint8Array,
  topic: string,
  replica: number,
  publish: (number: number, topic: string, bytes: number) => Promise<void>,
): Promise<HandlerResult> {
  const { number, key, first, end } = called(data, replica);
  if (conduct.kind === "exits" && number === conduct.on) process.exit(1);
  if (conduct.kind === "hangs" && number === conduct.on && first) {
    end("failed");
    await new Promise(() => undefined);
  }
  if (conduct.kind === "succeeds" && conduct.afterMs) await passes(conduct.afterMs);
  if (conduct.kind === "refuses" && conduct.whenTold) await told;
  if (refuses(number, key)) {
    end("failed");
    return "retry";
  }
  if (conduct.kind === "publishes" && number < FOLLOW_UP) {
    try {
      await publish(number + FOLLOW_UP, topic, data.length);
    } catch (error) {
      console.error(String(error));
      end("failed");
      return "retry";
    }
    say("published", number + FOLLOW_UP, key ?? "-");
  }
  end("succeeded");
  return "success";
}

for (const [replica, { address, sidecar }] of orders.replicas.entries()) {
  if (conduct.kind === "errors" || conduct.kind === "garbage") {
    const parsed = parseAddress(address);
    if (!parsed) throw new Error(`no address: ${address}`);
    await listen(parsed, { handlers: answersWrongly(conduct, replica), maxMessageBytes: 16 * 2 ** 20 });
    continue;
  }
  const publisher = createPublisher({ address: sidecar });
  const publish = (number: number, topic: string, bytes: number) =>
    publisher.publishEvent(pubsub, topic, written(number, undefined, bytes));
  const app = createSubscriber({ address });
  for (const topic of topics) app.subscribe(pubsub, topic, ({ data }) => handle(data, topic, replica, publish));
  if (deadLetterTopic !== undefined) {
    app.subscribe(pubsub, deadLetterTopic, ({ data, metadata }) => {
      const failedAt = metadata[DEAD_LETTER.last];
      if (failedAt === undefined) throw new Error("a dead letter does not tell when it failed last");
      say("dead", read(data)?.number ?? Number.NaN, failedAt);
    });
  }
  await app.listen();
}
say("listening");
// It is always killed, and would write nothing down at its end.
flushCompileCache();
