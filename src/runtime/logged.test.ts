import pino from "pino";
import { expect, test } from "vitest";
import type { BrokerStatus } from "../engine/guarded.ts";
import type { Finding } from "../pubsub/pubsub.ts";
import { logged } from "./logged.ts";
import type { Remembered } from "./remembered.ts";

const starting: BrokerStatus = { state: "starting", reason: "not yet asked", findings: [] };

/** What is logged by whoever does something. */
function setUp() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info", base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { lines, events: logged(log, {} as Remembered) };
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
