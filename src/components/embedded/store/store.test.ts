import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pack, unpack } from "../packing.ts";
import type { Call, LendFrame, Request, StoreSettings } from "../protocol.ts";
import { Database } from "./database.ts";
import { Store } from "./store.ts";

let directory = "";
let stores: Store[] = [];
let time = 0;
let readers = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "embedded-store-"));
  time = 1_000_000;
});
afterEach(() => {
  for (const store of stores) cycle(store, { calls: [{ kind: "close" }] });
  stores = [];
  rmSync(directory, { recursive: true });
});

/** A database whose faults are planned. */
class Faulty extends Database {
  fault: { readonly errcode: number; readonly inCommit: number } | undefined;

  override transaction<T>(work: () => T, bytes = 0): T {
    if (this.fault && this.fault.inCommit <= 1) throw Object.assign(new Error("disk fault"), { errcode: this.fault.errcode });
    if (this.fault) this.fault = { ...this.fault, inCommit: this.fault.inCommit - 1 };
    return super.transaction(work, bytes);
  }

  override checkpoint(): void {
    if (this.fault) throw Object.assign(new Error("disk fault"), { errcode: this.fault.errcode });
    super.checkpoint();
  }
}

const IOERR = 10;
const FULL = 13;
const WIDE = { messages: 1_000, bytes: 1e9 };

function open(change: Partial<StoreSettings> = {}, from = directory): Store & { readonly databases: Faulty[] } {
  const databases: Faulty[] = [];
  const settings = { file: join(from, "test.db"), retentionMs: 1e9, retentionBytes: 1e9, maxBytes: undefined, ...change };
  const store = new Store(settings, (file, maxBytes) => {
    databases.push(new Faulty(file, maxBytes));
    return databases.at(-1) as Faulty;
  });
  stores.push(store);
  return Object.assign(store, { databases });
}

/** What kill -9 would leave, opened as the next process would. */
function crashed(): Store {
  const copy = join(directory, "crashed");
  mkdirSync(copy);
  for (const name of ["test.db", "test.db-wal"]) copyFileSync(join(directory, name), join(copy, name));
  return open({}, copy);
}

function cycle(store: Store, request: Partial<Request> = {}) {
  return store.handle({ now: time, elapsed: time, publish: undefined, settlements: [], windows: [], calls: [], ...request });
}

function publishing(texts: readonly string[], moves: readonly number[] = [], notBefore: number | null = null): Partial<Request> {
  const parts = texts.map((text) => Buffer.from(text));
  const each = <T>(value: T) => texts.map(() => value);
  return {
    publish: {
      topics: ["t"],
      topic: each(0),
      keys: each(null),
      attributes: each(null),
      expires: each(null),
      notBefore: each(notBefore),
      sizes: parts.map(({ length }) => length),
      data: pack(parts, false),
      moves,
    },
  };
}

function ask(store: Store, call: Call) {
  return cycle(store, { calls: [call] }).results[0];
}

function subscribe(store: Store, group = "g", expiresAfterMs: number | null = null): number {
  readers += 1;
  const spec = { group, start: "earliest", expiresAfterMs } as const;
  const result = ask(store, { kind: "subscribe", reader: readers, topic: "t", group: spec, order: "none" });
  if (!result || !("value" in result)) throw new Error(`not subscribed: ${result?.failure.message}`);
  return readers;
}

const settling = (reader: number, what: Partial<Request["settlements"][number]>): Partial<Request> => ({
  settlements: [{ reader, acks: [], releases: [], retries: [], keeps: [], ...what }],
});
const widen = (store: Store, reader: number, window = WIDE) => cycle(store, { windows: [{ reader, ...window }] });
const positionsIn = (lent: readonly LendFrame[]) => lent.flatMap(({ positions }) => positions);
const textsIn = (lent: readonly LendFrame[]) =>
  lent.flatMap(({ sizes, data }) => unpack(sizes, data).map((one) => Buffer.from(one).toString()));

test("what was acknowledged is on disk two ticks later, and what was not comes again after a crash", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["a", "b", "c"]));
  const positions = widen(store, reader).lent[0]?.positions ?? [];
  cycle(store, settling(reader, { acks: [positions[1] as number] }));
  for (let tick = 0; tick < 2; tick++) {
    time += 50;
    cycle(store);
  }
  const next = crashed();
  expect(textsIn(widen(next, subscribe(next)).lent)).toEqual(["a", "c"]);
});

test.each([
  ["a window", [], 100],
  ["a quarter of it, where something was published since,", ["last"], 25],
])("after a crash at most %s is repeated of what was settled, also behind messages that are stuck", (_, last, most) => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(Array.from({ length: 200 }, (_, index) => `${index + 1}`)));
  const stuck = [1, 40, 90];
  const lent = [...positionsIn(widen(store, reader, { messages: 100, bytes: 1e9 }).lent)];
  for (const pos of lent) if (!stuck.includes(pos)) lent.push(...positionsIn(cycle(store, settling(reader, { acks: [pos] })).lent));
  expect(lent.length).toBe(200);
  if (last.length > 0) cycle(store, publishing(last));
  const next = crashed();
  const again = textsIn(widen(next, subscribe(next)).lent);
  expect(again.slice(0, 3)).toEqual(stuck.map(String));
  expect(again.length - stuck.length - last.length).toBeLessThanOrEqual(most);
});

test("a failure that was recorded is on disk with the next commit", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["a", "b"]));
  const positions = widen(store, reader).lent[0]?.positions ?? [];
  cycle(store, settling(reader, { keeps: [positions[1] as number, 3] }));
  const next = crashed();
  expect(widen(next, subscribe(next)).lent[0]?.failures).toEqual([0, 3]);
});

test("a message that is moved is acknowledged in the commit of its copy, also behind one that is not settled", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["stuck", "bad"]));
  const positions = widen(store, reader).lent[0]?.positions ?? [];
  expect(cycle(store, publishing(["copy"], [0, reader, positions[1] as number])).published).toEqual([3]);
  const next = crashed();
  expect(textsIn(widen(next, subscribe(next)).lent)).toEqual(["stuck", "copy"]);
});

test("a message is not replaced for a reader that does not have it any more", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["a"]));
  widen(store, reader);
  cycle(store, settling(reader, { acks: [1] }));
  expect(cycle(store, publishing(["copy", "other"], [0, reader, 1])).published).toEqual([-1, 2]);
});

test("messages are lent while retention has more to delete than a cycle can", () => {
  const store = open({ retentionMs: 0 });
  cycle(store, publishing(Array.from({ length: 2_500 }, () => "old")));
  const reader = subscribe(store);
  ask(store, { kind: "seek", topic: "t", group: "g", to: "latest" });
  cycle(store, publishing(["new"]));
  time += 10_000;
  const reply = widen(store, reader);
  expect([textsIn(reply.lent), reply.wakeIn]).toEqual([["new"], 0]);
});

test("a delayed retry that is due asks for no cycle while its reader is paused, and is lent when that goes on", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["a"]));
  widen(store, reader);
  const waiting = cycle(store, settling(reader, { retries: [1, 200, 1] }));
  expect(waiting.wakeIn).toBeLessThanOrEqual(200);
  widen(store, reader, { messages: 0, bytes: 0 });
  time += 500;
  for (let tick = 0; tick < 3; tick++) {
    cycle(store);
    time += 50;
  }
  expect(cycle(store).wakeIn).toBeGreaterThan(1_000);
  expect(widen(store, reader).lent[0]).toMatchObject({ positions: [1], failures: [1] });
});

test("a delay that a wrong clock made too long ends once the clock is right", () => {
  const store = open();
  const reader = subscribe(store);
  cycle(store, publishing(["a"]));
  const [pos] = positionsIn(widen(store, reader).lent);
  cycle(store, settling(reader, { retries: [pos as number, 2_000, 1] }));
  const next = crashed();
  const [longAgo, later] = [time - 1e9, time + 60_000];
  const again = { now: longAgo, elapsed: 0 };
  const spec = { group: "g", start: "earliest", expiresAfterMs: null } as const;
  cycle(next, { ...again, calls: [{ kind: "subscribe", reader: 77, topic: "t", group: spec, order: "none" }] });
  expect(cycle(next, { ...again, windows: [{ reader: 77, ...WIDE }] }).lent).toEqual([]);
  expect(cycle(next, { now: longAgo + 5_000, elapsed: 5_000 }).lent).toEqual([]);
  expect(textsIn(cycle(next, { now: later, elapsed: 20_000 }).lent)).toEqual(["a"]);
});

test("a disk that is full at the start is told as full, whoever says so", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  const settings = { file: join(directory, "full.db"), retentionMs: 1e9, retentionBytes: 1e9, maxBytes: undefined };
  const store = new Store(settings, () => {
    throw full;
  });
  stores.push(store);
  expect(cycle(store, { calls: [{ kind: "ping" }] }).broken).toMatchObject({ code: "resource_exhausted", message: /make room/ });
});

test("a topic whose last message was removed unread asks for no cycle, and the next one is lent", () => {
  const store = open();
  const reader = subscribe(store);
  const { published } = cycle(store, publishing(["a", "b"]));
  const [first, last] = published as readonly number[];
  ask(store, { kind: "remove", topic: "t", positions: [String(last)] });
  const opened = widen(store, reader);
  expect([positionsIn(opened.lent), opened.wakeIn]).toEqual([[first], expect.any(Number)]);
  expect(cycle(store).wakeIn).toBeGreaterThan(0);
  expect(textsIn(cycle(store, publishing(["c"])).lent)).toEqual(["c"]);
});

test("a start beyond the end is the end", () => {
  const store = open();
  cycle(store, publishing(["a"]));
  const spec = { group: "g", start: { position: "1000000" }, expiresAfterMs: null } as const;
  ask(store, { kind: "subscribe", reader: 78, topic: "t", group: spec, order: "none" });
  cycle(store, publishing(["b"]));
  expect(textsIn(widen(store, 78).lent)).toEqual(["b"]);
});

test("a reader whose group was deleted with the request that made it is told so", () => {
  const store = open();
  const spec = { group: "g", start: "earliest", expiresAfterMs: null } as const;
  const calls: Call[] = [
    { kind: "subscribe", reader: 79, topic: "t", group: spec, order: "none" },
    { kind: "deleteGroup", topic: "t", group: "g" },
  ];
  expect(cycle(store, { calls }).ended).toEqual([79]);
  expect(widen(store, 79).ended).toEqual([79]);
});

test("what is due while the disk is full is tried again after a while, not in circles", () => {
  const store = open();
  cycle(store, publishing(["later"], [], time + 100));
  const [database] = store.databases;
  if (!database) throw new Error("no database");
  database.fault = { errcode: FULL, inCommit: 1 };
  time += 200;
  expect(cycle(store).wakeIn).toBeGreaterThanOrEqual(100);
  database.fault = undefined;
  time += 1_000;
  cycle(store);
  expect(textsIn(widen(store, subscribe(store)).lent)).toEqual(["later"]);
});

test("a full disk refuses publishes and does not say that acknowledgements stand, but lets readers come and go", () => {
  const store = open();
  const first = subscribe(store);
  cycle(store, publishing(["a", "b"]));
  widen(store, first);
  const [database] = store.databases;
  if (!database) throw new Error("no database");
  database.fault = { errcode: FULL, inCommit: 1 };
  expect(cycle(store, publishing(["c"])).published).toMatchObject({ code: "resource_exhausted", outcome: "rejected" });
  const flushed = cycle(store, { ...settling(first, { acks: [1] }), calls: [{ kind: "flush" }] }).results[0];
  expect(flushed).toMatchObject({ failure: { code: "resource_exhausted" } });
  cycle(store, { calls: [{ kind: "unsubscribe", reader: first }] });
  const second = subscribe(store);
  expect(textsIn(widen(store, second).lent)).toEqual(["b"]);
  database.fault = undefined;
  expect(ask(store, { kind: "flush" })).toEqual({ value: undefined });
  const next = crashed();
  expect(textsIn(widen(next, subscribe(next)).lent)).toEqual(["b"]);
});

test("an I/O error before the commit is a rejection, after it nobody knows", () => {
  const store = open({ retentionMs: 0 });
  subscribe(store, "expires", 1);
  for (const [inCommit, outcome] of [
    [1, "rejected"],
    [2, "unknown"],
  ] as const) {
    const database = store.databases.at(-1);
    if (!database) throw new Error("no database");
    // The second transaction of the cycle is retention's.
    database.fault = { errcode: IOERR, inCommit };
    time += 20_000;
    expect(cycle(store, publishing(["a"])).published).toMatchObject({ code: "unavailable", outcome });
    time += 1_000;
    expect(cycle(store).broken).toBeUndefined();
  }
});

test("after an I/O error every reader is told that it ended, whenever the error came, and the file is opened anew", () => {
  const store = open();
  const first = subscribe(store);
  const [database] = store.databases;
  if (!database) throw new Error("no database");
  database.fault = { errcode: IOERR, inCommit: 1 };
  store.rest();
  expect(cycle(store)).toMatchObject({ ended: [first], broken: { code: "unavailable", message: /disk fault/ } });
  time += 1_000;
  const second = subscribe(store);
  const again = store.databases.at(-1);
  if (!again) throw new Error("no database");
  expect(store.databases.length).toBe(2);
  again.fault = { errcode: IOERR, inCommit: 1 };
  expect(cycle(store, publishing(["a"])).ended).toEqual([second]);
});

test("a group that expires is gone that long after its last reader, and never with one", () => {
  const store = open();
  const reader = subscribe(store, "replica", 60_000);
  const groups = () => ask(store, { kind: "groups", topic: "t" });
  time += 600_000;
  cycle(store);
  expect(groups()).toEqual({ value: [{ group: "replica", consumers: 1, pending: 0 }] });
  cycle(store, { calls: [{ kind: "unsubscribe", reader }] });
  time += 59_000;
  cycle(store);
  expect(groups()).toMatchObject({ value: [{ consumers: 0 }] });
  time += 12_000;
  cycle(store);
  expect(groups()).toEqual({ value: [] });
});

test("retention deletes what is old and read by all, and nothing that a group still needs", () => {
  const store = open({ retentionMs: 1_000 });
  const reader = subscribe(store);
  cycle(store, publishing(["a", "b", "c"]));
  widen(store, reader, { messages: 2, bytes: 1e6 });
  cycle(store, { ...settling(reader, { acks: [1] }), calls: [{ kind: "flush" }] });
  time += 20_000;
  cycle(store);
  expect(ask(store, { kind: "browse", topic: "t", after: undefined, limit: 10 })).toMatchObject({
    value: [{ position: "2" }, { position: "3" }],
  });
});

test("a message that fails for ever keeps none of those behind it from being deleted", () => {
  const store = open({ retentionMs: 1_000 });
  const reader = subscribe(store);
  cycle(store, publishing(["stuck", "b", "c", "d"]));
  widen(store, reader);
  cycle(store, { ...settling(reader, { acks: [2, 3, 4], keeps: [1, 7] }), calls: [{ kind: "flush" }] });
  time += 20_000;
  cycle(store);
  const left = (from: Store) => ask(from, { kind: "browse", topic: "t", after: undefined, limit: 10 });
  expect(left(store)).toMatchObject({ value: [{ position: "1" }] });
  cycle(store, publishing(["e"]));
  const next = crashed();
  const lent = widen(next, subscribe(next)).lent;
  expect([textsIn(lent), lent[0]?.failures]).toEqual([
    ["stuck", "e"],
    [7, 0],
  ]);
});

test("what is kept for replay alone makes room for what is published, and what has no group does not", () => {
  const settings = { maxBytes: 2 * 2 ** 20, retentionMs: 1e9, retentionBytes: 1e9 };
  const store = new Store({ file: join(directory, "full.db"), ...settings });
  stores.push(store);
  const reader = subscribe(store);
  const large = "x".repeat(100_000);
  let stored = 0;
  while (Array.isArray(cycle(store, publishing([large])).published)) stored += 1;
  expect(stored).toBeGreaterThan(5);
  const positions = positionsIn(widen(store, reader).lent);
  time += 1_000;
  cycle(store, { ...settling(reader, { acks: positions }), calls: [{ kind: "flush" }] });
  for (let tries = 0; tries < 3; tries++) {
    time += 1_000;
    cycle(store, publishing([large]));
  }
  expect(cycle(store, publishing([large])).published).toEqual([expect.any(Number)]);
  cycle(store, { calls: [{ kind: "close" }] });
});
