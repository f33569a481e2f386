import { beforeEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Aws } from "./client.ts";
import type { Lease } from "./lease.ts";
import { Leases, type Member } from "./leases.ts";
import type { Lent } from "./lent.ts";

const LEASE_MS = 30_000;
const HOUR_MS = 3_600_000;

/** Leases at an SQS that is played. */
class Played {
  readonly clock = new SteppedClock();
  readonly lost: Lent[] = [];
  readonly settled: Lease[] = [];
  /** Seconds that were asked for, call by call. */
  readonly asked: number[][] = [];
  /** The receipts that SQS does not take any more. */
  readonly refused = new Set<string>();
  /** How it says so. */
  refusal = "ReceiptHandleIsInvalid";
  reachable = true;
  /** What happens to each call, the next first: it is not answered within its time, or fails at once. */
  readonly trouble: ("hangs" | "fails")[] = [];
  /** When each call was made, from the start, and the time that it was given. */
  readonly calls: [at: number, ms: number | undefined][] = [];
  readonly failed: PubSubError[] = [];
  readonly leases: Leases;

  constructor() {
    const start = this.clock.elapsed();
    const changeVisibility: Aws["changeVisibility"] = async (_, entries, ms) => {
      this.calls.push([this.clock.elapsed() - start, ms]);
      const trouble = this.trouble.shift();
      if (trouble === "hangs") await new Promise<void>((resolve) => this.clock.after(ms ?? 0, resolve));
      if (trouble) throw new PubSubError("unavailable", trouble, { outcome: "unknown" });
      if (!this.reachable) await new Promise(() => undefined);
      this.asked.push(entries.map(({ VisibilityTimeout }) => VisibilityTimeout ?? Number.NaN));
      const failed = entries.filter(({ ReceiptHandle }) => this.refused.has(ReceiptHandle ?? ""));
      const Failed = failed.map(({ Id }) => ({ Id, Code: this.refusal, SenderFault: true }));
      return { Successful: [], Failed, $metadata: {} };
    };
    const member: Member = {
      topic: "t",
      clock: this.clock,
      aws: { changeVisibility } as unknown as Aws,
      queueUrl: "q",
      raw: true,
      leaseMs: LEASE_MS,
      lost: (lent) => this.lost.push(...lent),
      gone: () => undefined,
      unrenewed: (error) => this.failed.push(error),
      renewed: () => undefined,
      isOurs: ({ until }) => until > this.clock.elapsed(),
      settled: (lease) => this.settled.push(lease),
    };
    this.leases = new Leases(member);
  }

  receive(id: string, receipt: string): Lent | undefined {
    const lease = this.leases.receive({ MessageId: id, ReceiptHandle: receipt, Body: "b" }, this.clock.elapsed());
    if (lease) lease.state = "lent";
    return lease?.delivery;
  }

  async pass(ms: number, times = 1): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.clock.advance(ms);
      await this.leases.renew();
    }
  }
}

let played: Played;
beforeEach(() => {
  played = new Played();
});

test("what is lent is prolonged before it is over, ten at a time", async () => {
  for (let index = 0; index < 12; index++) played.receive(`m${index}`, `r${index}`);
  await played.pass(LEASE_MS / 3, 9);
  expect(played.lost).toEqual([]);
  expect(played.asked[0]).toEqual(Array(10).fill(30));
  expect(played.asked[1]).toEqual(Array(2).fill(30));
});

test("SQS lends for twelve hours and no longer: then it is lost, and settles nothing", async () => {
  const lease = played.receive("m", "r");
  await played.pass(LEASE_MS / 3, (12 * HOUR_MS) / (LEASE_MS / 3) - 1);
  expect(played.lost).toEqual([]);
  // The last one is cut to what is left.
  expect(Math.min(...played.asked.flat())).toBeLessThan(30);
  await played.pass(LEASE_MS / 3, 2);
  expect(played.lost).toEqual([lease]);
  expect(lease?.ack()).toBe(false);
});

test.each(["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"])(
  "what SQS says is not ours is lost: %s",
  async (refusal) => {
    const [one] = [played.receive("m1", "r1"), played.receive("m2", "r2")];
    played.refused.add("r1");
    played.refusal = refusal;
    await played.pass(LEASE_MS / 2);
    expect(played.lost).toEqual([one]);
  },
);

test.each(["RequestThrottled", "KmsThrottled", "KMS.DisabledException", "Surprise"])(
  "what SQS does not prolong for another reason stays ours until our own clock ends it: %s",
  async (refusal) => {
    const one = played.receive("m1", "r1");
    played.refused.add("r1");
    played.refusal = refusal;
    await played.pass(LEASE_MS / 2);
    expect(played.lost).toEqual([]);
    played.refused.clear();
    await played.pass(LEASE_MS / 3, 3);
    expect(played.lost).toEqual([]);
    played.refused.add("r1");
    await played.pass(LEASE_MS / 2, 2);
    expect(played.lost).toEqual([one]);
  },
);

test("without an answer it is lost by our own clock", async () => {
  const lease = played.receive("m", "r");
  played.reachable = false;
  played.clock.advance(LEASE_MS / 2);
  void played.leases.renew();
  played.clock.advance(LEASE_MS / 2);
  expect(lease?.ack()).toBe(false);
  void played.leases.renew();
  expect(played.lost).toEqual([lease]);
});

test("what comes a second time is not lent twice: its newest receipt settles it", () => {
  const lent = played.receive("m", "r1");
  const [lease] = played.leases.all;
  expect(played.receive("m", "r2")).toBeUndefined();
  expect(lease?.receipt).toBe("r2");
  lent?.ack();
  expect(played.settled).toEqual([lease]);
  // Its delete was on the way with a receipt that is no longer the newest.
  expect(played.receive("m", "r3")).toBeUndefined();
  expect(played.settled).toEqual([lease, lease]);
  expect(lease?.receipt).toBe("r3");
});

test("what arrives with its lease over is not lent, whoever has it now: it comes again", () => {
  const since = played.clock.elapsed();
  const message = { MessageId: "m", ReceiptHandle: "r", Body: "b" };
  played.clock.advance(LEASE_MS - 1);
  expect(played.leases.receive(message, since)?.until).toBe(since + LEASE_MS);
  played.clock.advance(1);
  expect(played.leases.receive({ ...message, MessageId: "n" }, since)).toBeUndefined();
  expect(played.leases.all).toHaveLength(1);
});

test("what is settled does not keep its bytes while it waits for SQS", () => {
  const settle = [(lent?: Lent) => lent?.ack(), (lent?: Lent) => lent?.release(), (lent?: Lent) => lent?.retry(1_000)];
  for (const [index, one] of settle.entries()) expect(one(played.receive(`m${index}`, "r"))).toBe(true);
  expect(played.leases.all.map(({ state, delivery }) => [state, delivery])).toEqual([
    ["acked", undefined],
    ["released", undefined],
    ["delayed", undefined],
  ]);
});

test("what was given back and comes again is lent anew", () => {
  const lease = played.receive("m", "r1");
  lease?.release();
  const again = played.receive("m", "r2");
  expect(again).not.toBe(lease);
  expect(again?.ack()).toBe(true);
});

/** What was begun goes as far as it can without the clock. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function beat(): Promise<void> {
  played.clock.advance(LEASE_MS / 3);
  void played.leases.renew();
  await turn();
}

/** Time goes by, a twenty-fourth of a lease after the other. */
async function wait(steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    played.clock.advance(LEASE_MS / 24);
    await turn();
  }
}

test("a renewal that hangs is given up after a quarter of the lease, and tried again at once: nothing is lost by one or two", async () => {
  const lease = played.receive("m", "r");
  played.trouble.push("hangs", "hangs");
  await beat();
  await wait(24);
  expect(played.calls).toEqual([
    [10_000, 7_500],
    [17_500, 7_500],
    [25_000, 7_500],
  ]);
  expect(played.lost).toEqual([]);
  // Of the third: it was made 15 s before now.
  expect(played.leases.all[0]?.until).toBe(played.clock.elapsed() - 15_000 + LEASE_MS);
  expect(lease?.ack()).toBe(true);
});

test.each(["a call", "an entry"])(
  "when %s fails at once, it is tried again at most eight times in the time of a lease, until it stands",
  async (what) => {
    played.receive("m", "r");
    if (what === "a call") played.trouble.push("fails", "fails", "fails");
    else {
      played.refused.add("r");
      played.refusal = "InternalError";
    }
    await beat();
    await wait(8);
    played.refused.clear();
    await wait(16);
    expect(played.calls.map(([at]) => at)).toEqual([10_000, 13_750, 17_500, 21_250]);
    expect(played.lost).toEqual([]);
    expect(played.leases.all[0]?.until).toBe(played.clock.elapsed() - 18_750 + LEASE_MS);
  },
);

test("when all is over nothing is tried again", async () => {
  for (const clear of ["while it waits", "while a call is under way"]) {
    played = new Played();
    played.receive("m", "r");
    played.trouble.push(clear === "while it waits" ? "fails" : "hangs");
    await beat();
    played.leases.clear();
    await wait(24);
    expect([played.calls.length, played.clock.timers]).toEqual([1, 0]);
  }
});
