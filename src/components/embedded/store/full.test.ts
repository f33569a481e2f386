import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pack } from "../packing.ts";
import type { CallResult, LendFrame, PublishFrame, Request } from "../protocol.ts";
import { Database } from "./database.ts";
import { Store } from "./store.ts";

const LIMIT = 4 * 2 ** 20;
const FULL = 13;

let directory = "";
let time = 0;
let stores: Store[] = [];
let databases: Database[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "embedded-full-"));
  time = 1_000_000;
  stores = [];
  databases = [];
});
afterEach(() => {
  for (const store of stores) cycle(store, { calls: [{ kind: "close" }] });
  rmSync(directory, { recursive: true });
});

function open(maxBytes: number | undefined, name = "test.db"): Store {
  const settings = { file: join(directory, name), retentionMs: 0, retentionBytes: 1e9, maxBytes };
  const store = new Store(settings, (file, most) => {
    const database = new Database(file, most);
    databases.push(database);
    return database;
  });
  stores.push(store);
  return store;
}

function cycle(store: Store, request: Partial<Request> = {}) {
  return store.handle({ now: time, elapsed: time, publish: undefined, settlements: [], windows: [], calls: [], ...request });
}

function publish(store: Store, bytes: number, count = 1) {
  const each = <T>(value: T): T[] => Array.from({ length: count }, () => value);
  const frame: PublishFrame = {
    topics: ["t"],
    topic: each(0),
    keys: each(null),
    attributes: each(null),
    expires: each(null),
    notBefore: each(null),
    sizes: each(bytes),
    data: pack(each(Buffer.alloc(bytes, "x")), false),
    moves: [],
  };
  return cycle(store, { publish: frame }).published;
}

/** Publishes until there is no room. Returns how many were stored. */
function fill(store: Store, bytes: number): number {
  let stored = 0;
  for (const count of [100, 1]) while (Array.isArray(publish(store, bytes, count))) stored += count;
  return stored;
}

function subscribe(store: Store, reader: number, group: string): void {
  const spec = { group, start: "earliest", expiresAfterMs: null } as const;
  cycle(store, { calls: [{ kind: "subscribe", reader, topic: "t", group: spec, order: "none" }] });
}

/** Opens the reader's window, and resolves to the positions of all that comes. */
function readAll(store: Store, reader: number): readonly number[] {
  const positions: number[] = [];
  let { lent } = cycle(store, { windows: [{ reader, messages: 100_000, bytes: 1e9 }] });
  while (lent.length > 0) {
    positions.push(...lent.flatMap((frame: LendFrame) => frame.positions));
    ({ lent } = cycle(store));
  }
  return positions;
}

function settle(store: Store, reader: number, acks: readonly number[], failed: readonly number[]): CallResult | undefined {
  const keeps = failed.flatMap((pos) => [pos, 1]);
  const settlements = [{ reader, acks: [...acks], releases: [], retries: [], keeps }];
  time += 1_000;
  return cycle(store, { settlements, calls: [{ kind: "flush" }] }).results[0];
}

test("a file that is full of messages has room for what fails: the rest is acknowledged, deleted, and makes room", () => {
  const store = open(LIMIT);
  subscribe(store, 1, "g");
  expect(fill(store, 1_000)).toBeGreaterThan(2_500);
  const positions = readAll(store, 1);
  const failed = positions.filter((_, index) => index % 5 === 0);
  const acked = positions.filter((_, index) => index % 5 > 0);
  expect(failed.length).toBeGreaterThan(500);
  expect(settle(store, 1, acked, failed)).toEqual({ value: undefined });
  time += 10_000;
  while (cycle(store).wakeIn === 0);
  expect(publish(store, 1_000)).toEqual([expect.any(Number)]);
  expect(statSync(join(directory, "test.db")).size).toBeLessThanOrEqual(LIMIT);
});

test("a file that was larger before it had a limit takes no message, and has room for what fails", () => {
  const before = open(undefined);
  subscribe(before, 1, "g");
  publish(before, 1_000, 3_000);
  cycle(before, { calls: [{ kind: "close" }] });
  const store = open(2 ** 20);
  subscribe(store, 1, "g");
  expect(publish(store, 10)).toMatchObject({ code: "resource_exhausted", outcome: "rejected", permanent: false });
  const positions = readAll(store, 1);
  expect(settle(store, 1, positions.slice(600), positions.slice(0, 600))).toEqual({ value: undefined });
  time += 10_000;
  while (cycle(store).wakeIn === 0);
  expect(publish(store, 10)).toEqual([expect.any(Number)]);
});

test("what one group has no room for keeps nothing of another from the disk", () => {
  const store = open(LIMIT);
  subscribe(store, 1, "fails");
  subscribe(store, 2, "acks");
  for (const bytes of [1, 2]) publish(store, bytes);
  const [first = 0] = readAll(store, 1);
  const all = readAll(store, 2);
  const [database] = databases;
  if (!database) throw new Error("no database");
  database.rows.put = () => {
    throw Object.assign(new Error("database or disk is full"), { errcode: FULL });
  };
  cycle(store, { settlements: [{ reader: 1, acks: [], releases: [], retries: [], keeps: [first, 1] }] });
  expect(settle(store, 2, all, [])).toMatchObject({ failure: { code: "resource_exhausted" } });
  for (const end of ["", "-wal"]) copyFileSync(join(directory, `test.db${end}`), join(directory, `crashed.db${end}`));
  const next = open(LIMIT, "crashed.db");
  subscribe(next, 2, "acks");
  expect(readAll(next, 2)).toEqual([]);
});
