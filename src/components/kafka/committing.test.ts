import { expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { Committing } from "./committing.ts";
import { KAFKA } from "./errors.ts";
import type { Lease } from "./lease.ts";
import { Partition } from "./partition.ts";
import type { Commit } from "./wire/group-apis.ts";

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** A partition of which every second message is settled: its marks are long. */
function scattered(index: number): Partition {
  const partition = new Partition("t", "0a".repeat(16), index, { offset: 0, metadata: "", epoch: -1 });
  for (let offset = 0; offset < 4_000; offset++) {
    partition.progress.add({ offset, failures: 0, settled: offset % 2 === 1 } as unknown as Lease);
  }
  partition.progress.settled();
  return partition;
}

test("a broker that takes less beside a commit is given half of it, however many partitions it refuses at once", async () => {
  const clock = new SteppedClock();
  const commits: (readonly Commit[])[] = [];
  const committing = new Committing({
    clock,
    intervalMs: 100,
    most: 1_000,
    commit(some) {
      commits.push(some);
      return Promise.resolve(
        some.map(({ index, metadata }) => ({ index, error: metadata.length > 2_048 ? KAFKA.metadataTooLarge : KAFKA.none })),
      );
    },
    failed: () => undefined,
    recorded: () => undefined,
  });
  for (let index = 0; index < 10; index++) committing.touch(scattered(index));
  clock.advance(100);
  await turn();
  clock.advance(100);
  await turn();
  const lengths = commits.map((some) => [some.length, Math.max(...some.map(({ metadata }) => metadata.length))]);
  expect(lengths.map(([count]) => count)).toEqual([10, 10]);
  expect(lengths[1]?.[1]).toBeGreaterThan(1_900);
  expect(lengths[1]?.[1]).toBeLessThanOrEqual(2_048);
  expect(committing.clean).toBe(true);
});
