import { describe, expect, test } from "vitest";
import { FAULTS, type MakeFault, spoilt } from "./faults.fixture.ts";
import { conformance, type Harness } from "./index.ts";

const BYTES = "bytes arrive as they were sent: every value, none, four million";

/** The behaviours that find a fault. Each has a broker to itself. */
async function failing(make?: MakeFault): Promise<readonly string[]> {
  const names = conformance(spoilt(make)).map(({ name }) => name);
  const failed = names.map(async (name, index) => {
    const check = conformance(spoilt(make))[index];
    return check?.run().then(
      () => [],
      () => [name],
    );
  });
  return (await Promise.all(failed)).flatMap((one) => one ?? []);
}

describe.concurrent("a fault is found by the behaviour that is named for it, and by no other", () => {
  test("none: all pass", async () => {
    expect(await failing()).toEqual([]);
  }, 30_000);
  for (const [what, { make, foundBy, feltBy }] of Object.entries(FAULTS)) {
    test(`a component that ${what}`, async () => {
      expect(await failing(make)).toEqual(feltBy ? [foundBy, feltBy] : [foundBy]);
    }, 30_000);
  }
});

test("a gap must fail, be known, and be closed when it passes", async () => {
  const gaps = [{ behaviour: BYTES, why: "the broker keeps text" }];
  const run = (harness: Harness) =>
    conformance(harness)
      .find(({ name }) => name.endsWith(BYTES))
      ?.run();
  await run(spoilt(() => ({ publish: () => ({ data: new Uint8Array(1) }) }), gaps));
  await expect(run(spoilt(undefined, gaps))).rejects.toThrow("it does, although the gap says: the broker keeps text");
  expect(() => conformance(spoilt(undefined, [{ behaviour: "it flies", why: "" }]))).toThrow('no behaviour "it flies"');
});
