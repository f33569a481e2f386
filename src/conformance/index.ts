import { behaviours as componentBehaviours } from "./behaviours/index.ts";
import { Bench } from "./bench.ts";
import { engineBehaviours } from "./engine/index.ts";
import type { Behaviour, Harness } from "./harness.ts";

export type { Behaviour, Gap, Harness } from "./harness.ts";

/** Every behaviour there is: of the component alone, and of the engine on it. */
const behaviours: readonly Behaviour[] = [...componentBehaviours, ...engineBehaviours];

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
  const failure = await failureOf(behaviour.run(bench));
  const untidy = await failureOf(bench.closeAll());
  if (gap && !failure) throw new Error(`it does, although the gap says: ${gap.why}`);
  // What went wrong first says more than how it was cleared away.
  const told = gap ? undefined : (failure ?? untidy);
  if (told) throw told.error;
}

function failureOf(attempt: Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  return attempt.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
}
