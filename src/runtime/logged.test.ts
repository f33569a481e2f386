import pino from "pino";
import { expect, test } from "vitest";
import type { AppSubscription } from "../app/channel.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { BrokerStatus } from "../engine/guarded.ts";
import type { Finding } from "../pubsub/pubsub.ts";
import { logged } from "./logged.ts";
import type { Remembered } from "./remembered.ts";

const starting: BrokerStatus = { state: "starting", reason: "not yet asked", findings: [] };

/** What is logged by whoever does something. */
function setUp(level = "info") {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level, base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const clock = new SteppedClock();
  const remembered: string[] = [];
  const add = ({ topic }: AppSubscription) => void remembered.push(topic);
  return { lines, clock, remembered, events: logged(log, { add } as Remembered, clock) };
}

test("an app that is away is told once for each reason, and so is that it is back", () => {
  const { lines, events } = setUp();
  for (const reason of [undefined, "refused", "refused", "too slow", undefined, undefined, "refused"]) events.appUnanswered(reason);
  const away = { level: 40, msg: "the app does not say what it subscribes to; asking until it does" };
  expect(lines).toEqual([
    { ...away, reason: "refused" },
    { ...away, reason: "too slow" },
    { level: 30, msg: "the app says what it subscribes to" },
    { ...away, reason: "refused" },
  ]);
});

test("what the app asks for is remembered, and not what is declared", () => {
  const { remembered, events } = setUp();
  for (const topic of ["declared", "asked"]) events.subscribed({ pubsub: "p", topic, metadata: {} }, topic === "declared");
  expect(remembered).toEqual(["asked"]);
});

test("failures and dead letters are told at once, and then once a minute with how many there were", () => {
  const { lines, clock, events } = setUp();
  const orders = { pubsub: "p", topic: "orders", metadata: {} };
  for (let times = 0; times < 100; times++) events.failed(orders, `e${times}`, "INTERNAL: no");
  events.failed({ ...orders, topic: "other" }, "y".repeat(1_000), "x".repeat(1_000));
  events.deadLettered(orders, "e0", "INTERNAL: no");
  clock.advance(60_000);
  events.failed(orders, "e1", "UNKNOWN: still no");
  const failed = { level: 40, msg: "messages failed; told of at most once a minute, with the last one's id and reason", pubsub: "p" };
  expect(lines).toEqual([
    { ...failed, topic: "orders", messages: 1, id: "e0", reason: "INTERNAL: no" },
    { ...failed, topic: "other", messages: 1, id: "y".repeat(200), reason: "x".repeat(200) },
    {
      ...failed,
      msg: failed.msg.replace("failed", "ended in the dead-letter topic"),
      topic: "orders",
      messages: 1,
      id: "e0",
      reason: "INTERNAL: no",
    },
    { ...failed, topic: "orders", messages: 100, id: "e1", reason: "UNKNOWN: still no" },
  ]);
});

test("at level debug each message is named that fails or becomes a dead letter", () => {
  const { lines, events } = setUp("debug");
  const orders = { pubsub: "p", topic: "orders", metadata: {} };
  for (const id of ["a", "b"]) events.failed(orders, id, "INTERNAL: no");
  events.deadLettered(orders, "b", "INTERNAL: no");
  const debug = { level: 20, pubsub: "p", topic: "orders", reason: "INTERNAL: no" };
  expect(lines.filter(({ level }) => level === 20)).toEqual([
    { ...debug, id: "a", msg: "a message failed" },
    { ...debug, id: "b", msg: "a message failed" },
    { ...debug, id: "b", msg: "a message ended in the dead-letter topic" },
  ]);
});

test("each finding is told once, by its id, a refusal with what it stops", () => {
  const { lines, events } = setUp();
  const evicts: Finding = { id: "redis.maxmemory-policy", level: "refuse", found: "It evicts.", remedy: "Set noeviction." };
  const forgets: Finding = { id: "redis.appendonly", level: "warn", found: "It forgets.", remedy: "Set appendonly." };
  const refused: BrokerStatus = { state: "refused", reason: "It evicts. Set noeviction.", findings: [evicts, forgets] };
  events.broker("orders", refused, starting);
  events.broker("orders", { state: "up", reason: "", findings: [forgets] }, refused);
  expect(lines).toEqual([
    { level: 50, pubsub: "orders", reason: refused.reason, findings: [evicts.id], msg: "the broker is not used until this is mended" },
    { level: 40, pubsub: "orders", id: forgets.id, remedy: forgets.remedy, msg: forgets.found },
    { level: 30, pubsub: "orders", msg: "the broker is up" },
  ]);
});
