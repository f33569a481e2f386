import fc from "fast-check";
import { expect, test } from "vitest";
import type { Delivery } from "../../pubsub/delivery.ts";
import { type Fault, faulty } from "../faults.fixture.ts";
import { inMemoryScene } from "./in-memory-stage.ts";
import { whateverHappens } from "./whatever-happens.ts";

/** How a component is wrong, and what is seen of it. */
const PLANTED: Readonly<Record<string, readonly [make: () => Fault, order: "none" | "key", seen: RegExp]>> = {
  "loses an acknowledgement": [
    () => {
      let acks = 0;
      return {
        delivery: (sound) => ({
          ack() {
            acks += 1;
            return acks % 5 === 0 || sound.ack();
          },
        }),
      };
    },
    "none",
    /was called again after it was settled/,
  ],
  "acknowledges what is given back": [() => ({ delivery: (sound) => ({ release: () => sound.ack() }) }), "none", /was lost/],
  "acknowledges what it should have moved": [
    () => ({
      delivery: (sound) => ({
        move(copy) {
          const ours = sound.ack();
          if (ours) copy.done();
          return ours;
        },
      }),
    }),
    "none",
    /was lost/,
  ],
  "lends to two readers": [
    () => {
      let last: readonly Delivery[] = [];
      return {
        lend(batch) {
          const both = [...last, ...batch];
          last = batch.slice(-1);
          return both;
        },
      };
    },
    "none",
    /was with two apps at once/,
  ],
  "forgets the order": [() => ({ subscribe: (request) => ({ ...request, order: "none" }) }), "key", /was called before .* was settled/],
  "stores what came later first": [() => ({ batch: (messages) => messages.toReversed() }), "key", /was stored behind/],
  "counts what was no failure": [
    () => ({ delivery: ({ failures = 0 }) => ({ failures: failures + 1 }) }),
    "none",
    /is a dead letter after [01] failures/,
  ],
};

test.each(Object.entries(PLANTED))("chance finds a component that %s", { timeout: 60_000 }, async (_, [make, order, seen]) => {
  let fault = make();
  const scene = inMemoryScene((sound) => faulty(sound, fault, new Set()));
  const open: typeof scene.open = (clock) => {
    fault = make();
    return scene.open(clock);
  };
  // The same worlds each time, or this could pass and fail by chance.
  const found = await fc.check(whateverHappens({ ...scene, open }, order), { numRuns: 300, seed: 1, endOnFailure: true });
  expect(String((found.errorInstance as Error | null)?.message)).toMatch(seen);
});
