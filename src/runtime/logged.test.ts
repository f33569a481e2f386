import pino from "pino";
import { expect, test } from "vitest";
import type { BrokerStatus } from "../engine/guarded.ts";
import type { Finding } from "../pubsub/pubsub.ts";
import { logged } from "./logged.ts";
import type { Remembered } from "./remembered.ts";

const starting: BrokerStatus = { state: "starting", reason: "not yet asked", findings: [] };

test("each finding is told once, by its id, a refusal with what it stops", () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info", base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const { broker } = logged(log, {} as Remembered);
  const evicts: Finding = { id: "redis.maxmemory-policy", level: "refuse", found: "It evicts.", remedy: "Set noeviction." };
  const forgets: Finding = { id: "redis.appendonly", level: "warn", found: "It forgets.", remedy: "Set appendonly." };
  const refused: BrokerStatus = { state: "refused", reason: "It evicts. Set noeviction.", findings: [evicts, forgets] };
  broker("orders", refused, starting);
  broker("orders", { state: "up", reason: "", findings: [forgets] }, refused);
  expect(lines).toEqual([
    { level: 50, pubsub: "orders", reason: refused.reason, findings: [evicts.id], msg: "the broker is not used until this is mended" },
    { level: 40, pubsub: "orders", id: forgets.id, remedy: forgets.remedy, msg: forgets.found },
    { level: 30, pubsub: "orders", msg: "the broker is up" },
  ]);
});
