import fc from "fast-check";
import { expect, test } from "vitest";
import { PubSubError } from "../pubsub/error.ts";
import { away, replyLost, setUp } from "./outbox.fixture.ts";

const ANSWERS = [
  undefined,
  away,
  replyLost,
  new PubSubError("resource_exhausted", "full"),
  new PubSubError("internal", "no", { permanent: true }),
];

const policies = fc.record(
  {
    timeoutMs: fc.constantFrom(100, 1_000, 5_000),
    duplicates: fc.constantFrom("allow", "refuse"),
    retry: fc.record({
      firstMs: fc.constantFrom(0, 50),
      mostMs: fc.constant(500),
      factor: fc.constantFrom(1, 2, 10),
      maxFailures: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
      permanent: fc.constantFrom([], ["RESOURCE_EXHAUSTED"]),
    }),
    breaker: fc.record({ failures: fc.integer({ min: 1, max: 3 }), pauseMs: fc.constantFrom(10, 700) }),
    rate: fc.constantFrom(3, 20, 1_000),
  },
  { requiredKeys: [] },
);
const steps = fc.array(
  fc.oneof(
    fc.record({ publish: fc.constantFrom("t", "u", "v"), patience: fc.constantFrom(undefined, 20, 400) }),
    fc.record({ call: fc.nat(), answer: fc.constantFrom(...ANSWERS) }),
    fc.record({ advance: fc.constantFrom(1, 30, 300, 1_000) }),
  ),
  { maxLength: 60 },
);

type Policy = typeof policies extends fc.Arbitrary<infer T> ? T : never;

/** An outbox whose calls are watched: never more than may be, never more messages than the rate allows, nothing while the breaker is open. */
function watched(policy: Policy, publishPipeline: number, slowCalls: number) {
  const t = setUp({ policy, capabilities: { publishPipeline, slowCalls } });
  const underWay = new Set<number>();
  let seen = 0;
  let sent = 0;
  /** The first call that began after the breaker opened last. */
  let since = 0;
  let published = 0;
  const doing = (act: () => void) => {
    const before = t.outbox.breaker?.state;
    act();
    const state = t.outbox.breaker?.state;
    for (; seen < t.calls.length; seen++) {
      underWay.add(seen);
      sent += t.calls[seen]?.batch.length ?? 0;
      if (before === state) expect(state).not.toBe("open");
      if (before === "half-open" && state === "half-open") expect([...underWay].filter((call) => call >= since)).toEqual([seen]);
    }
    if (before !== "open" && state === "open") since = seen;
    expect(underWay.size).toBeLessThanOrEqual(publishPipeline + slowCalls);
    const { rate } = policy;
    if (rate !== undefined) expect(sent).toBeLessThanOrEqual(Math.max(1, rate / 10) + (rate * t.clock.elapsed()) / 1_000 + 1e-3);
  };
  const publish = (topic: string, patience: number | undefined) => {
    const name = `m${published++}`;
    doing(() => t.publish(name, { topic, ...(patience === undefined ? {} : { deadline: t.clock.now() + patience }) }));
    if (t.outbox.breaker?.state === "open") expect(t.results[name]).toMatch(/^unavailable: the circuit breaker is open/);
  };
  const answer = (call: number | undefined, error: PubSubError | undefined) => {
    if (call === undefined) return;
    underWay.delete(call);
    doing(() => t.answer(call, error));
  };
  const advance = (ms: number) => {
    for (let left = ms; left > 0; left -= 10) doing(() => t.clock.advance(Math.min(10, left)));
  };
  return { ...t, underWay, publish, answer, advance, names: () => Array.from({ length: published }, (_, index) => `m${index}`) };
}

test("whatever the policy is and the broker does, every publish is answered once, and nothing stays behind", () => {
  fc.assert(
    fc.property(
      policies,
      steps,
      fc.integer({ min: 1, max: 3 }),
      fc.nat(2),
      fc.boolean(),
      (policy, list, publishPipeline, slowCalls, closes) => {
        const t = watched(policy, publishPipeline, slowCalls);
        for (const step of list) {
          if ("publish" in step) t.publish(step.publish, step.patience);
          else if ("advance" in step) t.advance(step.advance);
          else t.answer([...t.underWay][step.call % t.underWay.size], step.answer);
        }
        if (closes) t.outbox.close();
        // The longest that anybody may wait.
        for (let ms = 0; ms < 6_000; ms += 50) {
          for (const call of t.underWay) t.answer(call, away);
          t.advance(50);
        }
        expect(t.answers.sort()).toEqual(t.names().sort());
        expect([t.budget.used, t.clock.timers, t.underWay.size]).toEqual([0, 0, 0]);
      },
    ),
    { numRuns: 200 },
  );
});

const scattered = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ publish: fc.constantFrom("a", "b", "c", undefined) }) },
    { weight: 3, arbitrary: fc.record({ call: fc.nat(), key: fc.nat(), answer: fc.constantFrom(undefined, undefined, ...ANSWERS) }) },
    { weight: 1, arbitrary: fc.record({ advance: fc.constantFrom(1, 60, 300) }) },
  ),
  { maxLength: 80 },
);

test("whichever servers of a topic are late, no message of a key goes out beside or before an earlier one of it", () => {
  fc.assert(
    fc.property(scattered, (list) => {
      const t = setUp({ capabilities: { maxBatch: 4, slowCalls: 3, spreadsTopics: true } });
      const keys: (string | undefined)[] = [];
      /** Of each call, what is not answered. */
      const open: number[][] = [];
      const check = () => {
        for (let call = open.length; call < t.calls.length; call++) {
          const sent = t.calls[call]?.batch.map(({ attributes: { name } }) => Number(name)) ?? [];
          const elsewhere = new Set(open.flat());
          for (const [at, one] of sent.entries()) {
            for (let before = 0; before < keys.length; before++) {
              if (before === one || keys[before] !== keys[one]) continue;
              expect(elsewhere.has(before)).toBe(false);
              if (before < one && t.results[before] === undefined) expect(sent.slice(0, at)).toContain(before);
            }
          }
          open.push(sent);
        }
      };
      const answer = (call: number, key: string | undefined, error: PubSubError | undefined) => {
        const mine = open[call]?.filter((one) => keys[one] === key) ?? [];
        open[call] = open[call]?.filter((one) => !mine.includes(one)) ?? [];
        for (const one of t.calls[call]?.batch ?? []) if (mine.includes(Number(one.attributes.name))) one.done(error);
        check();
      };
      for (const step of list) {
        if ("publish" in step) {
          keys.push(step.publish);
          t.publish(String(keys.length - 1), { key: step.publish });
        } else if ("advance" in step) t.clock.advance(step.advance);
        else {
          const calls = open.flatMap((left, call) => (left.length > 0 ? call : []));
          const call = calls[step.call % calls.length];
          const left = call === undefined ? [] : (open[call] ?? []);
          if (call !== undefined) answer(call, keys[left[step.key % left.length] as number], step.answer);
        }
        check();
      }
      for (let rounds = 0; rounds < 200; rounds++) {
        for (const [call, left] of open.entries()) for (const one of [...left]) answer(call, keys[one], undefined);
        t.clock.advance(50);
        check();
      }
      expect(Object.keys(t.results).length).toBe(keys.length);
      expect([t.budget.used, t.clock.timers, open.flat().length]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});
