import { behaviours } from "./behaviours/index.ts";
import { Bench } from "./bench.ts";
import type { Behaviour, Harness } from "./harness.ts";

export type { Behaviour, Gap, Harness } from "./harness.ts";

/** One test of one component. */
export interface Check {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/**
 * Everything that a component must do, as tests without a runner: `for (const { name, run } of conformance(harness)) test(name, run)`.
 * Behaviours that the component's capabilities exclude are left out; those in its gaps must fail.
 */
export function conformance(harness: Harness): readonly Check[] {
  const unknown = harness.gaps.filter((gap) => !behaviours.some(({ name }) => name === gap.behaviour));
  if (unknown.length > 0) throw new TypeError(`there is no behaviour "${unknown[0]?.behaviour}" to have a gap in`);
  return behaviours
    .filter(({ needs }) => needs?.(harness.capabilities, harness) ?? true)
    .map((behaviour) => ({ name: `${behaviour.rule}: ${behaviour.name}`, run: () => check(behaviour, harness) }));
}

async function check(behaviour: Behaviour, harness: Harness): Promise<void> {
  const gap = harness.gaps.find((one) => one.behaviour === behaviour.name);
  const bench = new Bench(harness);
  const failure = await behaviour.run(bench).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  await bench.closeAll();
  if (gap && !failure) throw new Error(`it does, although the gap says: ${gap.why}`);
  if (!gap && failure) throw failure.error;
}
