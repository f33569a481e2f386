import { expect, test } from "vitest";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import { within } from "../pubsub/abort.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest } from "../pubsub/subscription.ts";
import { Guarded } from "./guarded.ts";

const forgets: Finding = { level: "warn", id: "x.forgets", found: "It forgets after a day.", remedy: "Set two." };
const evicts: Finding = { level: "refuse", id: "x.evicts", found: "It evicts messages.", remedy: "Turn that off." };
const settled = () => new Promise(setImmediate);

/** A broker that answers what `says` holds: findings, or an error for every question. */
function setUp(says: { answer: readonly Finding[] | PubSubError }) {
  const clock = new SteppedClock(0);
  const log: string[] = [];
  const ask = (what: string) => {
    log.push(what);
    return says.answer instanceof PubSubError ? Promise.reject(says.answer) : Promise.resolve(says.answer);
  };
  const pubsub = {
    inspect: () => ask("inspect"),
    ping: () => ask("ping"),
    subscribe: () => ask("subscribe"),
    ensure: () => ask("ensure"),
    publish: () => log.push("publish"),
  } as unknown as PubSub;
  const guarded = new Guarded(pubsub, clock, ({ state }) => log.push(`is ${state}`));
  const subscribe = () => guarded.subscribe({} as SubscribeRequest, {} as Sink);
  const publish = () => {
    const errors: (PubSubError | undefined)[] = [];
    guarded.publish([{ done: (error?: PubSubError) => errors.push(error) } as unknown as Outgoing], new AbortController().signal);
    return errors[0];
  };
  return { clock, log, guarded, subscribe, publish };
}

test("a broker that is absent does not keep us from starting, and is inspected once it is there", async () => {
  const says: { answer: readonly Finding[] | PubSubError } = { answer: new PubSubError("unavailable", "connection refused") };
  const t = setUp(says);
  await t.guarded.start();
  expect(t.guarded.status).toMatchObject({ state: "unreachable", reason: "connection refused" });
  await expect(t.subscribe()).rejects.toThrow("connection refused");
  says.answer = [];
  t.clock.advance(5_000);
  await settled();
  expect(t.guarded.status.state).toBe("up");
  expect(t.log).toEqual(["inspect", "is unreachable", "inspect", "inspect", "is up"]);
});

test("of a broker that says nothing that is told, not how it was given up", async () => {
  const clock = new SteppedClock();
  const inspect = (signal: AbortSignal) => within(new Promise<never>(() => undefined), signal, "inspect");
  const guarded = new Guarded({ inspect } as unknown as PubSub, clock, () => undefined);
  const started = guarded.start();
  clock.advance(3_000);
  await started;
  expect(guarded.status).toMatchObject({ state: "unreachable", reason: "the broker does not answer within 3 s" });
});

test("a broker that went is inspected again when it returns: another may stand there", async () => {
  const says: { answer: readonly Finding[] | PubSubError } = { answer: [] };
  const t = setUp(says);
  await t.guarded.start();
  says.answer = new PubSubError("unavailable", "gone");
  t.clock.advance(5_000);
  await settled();
  says.answer = [evicts];
  t.clock.advance(5_000);
  await settled();
  expect(t.log).toEqual(["inspect", "is up", "ping", "is unreachable", "inspect", "is refused"]);
});

test("a broker that is up is inspected after a subscription or a group was made, and else once a minute; what is found is told once", async () => {
  const says: { answer: readonly Finding[] } = { answer: [] };
  const t = setUp(says);
  await t.guarded.start();
  await t.subscribe();
  const look = async () => {
    t.clock.advance(5_000);
    await settled();
  };
  says.answer = [forgets];
  await look();
  await look();
  expect(t.log).toEqual(["inspect", "is up", "subscribe", "ping", "inspect", "is up", "ping"]);
  expect(t.guarded.status.findings).toEqual([forgets]);
  await t.guarded.ensure("topic", [], new AbortController().signal);
  await look();
  await look();
  expect(t.log.slice(7)).toEqual(["ensure", "ping", "inspect", "ping"]);
  for (let looks = 0; looks < 12; looks++) await look();
  expect(t.log.slice(11).filter((what) => what === "inspect")).toHaveLength(1);
});

test("settings that would lose messages: nothing is published or read until they are mended", async () => {
  const says: { answer: readonly Finding[] } = { answer: [evicts] };
  const t = setUp(says);
  await t.guarded.start();
  expect(t.guarded.status.reason).toBe("It evicts messages. Turn that off.");
  expect(t.publish()).toMatchObject({ code: "failed_precondition", outcome: "rejected", message: "It evicts messages. Turn that off." });
  await expect(t.subscribe()).rejects.toMatchObject({ code: "failed_precondition" });
  expect(t.log).not.toContain("publish");
  says.answer = [];
  await t.subscribe();
  expect(t.publish()).toBeUndefined();
  expect(t.log.slice(-3)).toEqual(["is up", "subscribe", "publish"]);
});

test("a broker that refuses us for good ends the start", async () => {
  const t = setUp({ answer: new PubSubError("failed_precondition", "the file belongs to process 42", { permanent: true }) });
  await expect(t.guarded.start()).rejects.toThrow("the file belongs to process 42");
});
