import type { HealthComponent } from "../api/http/actuator.ts";
import type { Engine } from "../engine/engine.ts";
import type { RuntimeSettings } from "./settings.ts";

export type Health = Readonly<Record<string, HealthComponent>>;

/** Whether the process turns. One that stops is alive: only readiness goes. */
export const liveness = (): Health => ({ runtime_startup: { status: "UP", details: { reason: "" } } });

/**
 * Whether it can take work: configuration applied, listeners up. Brokers and subscriptions are details that do not turn it DOWN, unless
 * readiness is `strict`: else a broker's blip would take every pod out at once.
 */
export function readiness(startup: HealthComponent["status"], engine: Engine, strict: RuntimeSettings["readiness"]): Health {
  const status = (works: boolean) => (works || strict === "lenient" ? "UP" : "DOWN");
  const health: Record<string, HealthComponent> = {
    runtime_startup: { status: startup, details: { reason: startup === "INIT" ? "starting" : startup === "DOWN" ? "stopping" : "" } },
  };
  for (const [name, broker] of engine.brokers) {
    const orphans = engine.orphans.filter((one) => one.pubsub === name).map(({ topic, group }) => ({ topic, group }));
    const breaker = engine.breakers.get(name);
    // Half open it works as far as is known: who waits for readiness before it publishes would never close it.
    const works = broker.state === "up" && breaker?.state !== "open";
    health[`pubsub ${name}`] = { status: status(works), details: { ...broker, ...(breaker && { breaker }), orphans } };
  }
  for (const { pubsub, ...one } of engine.subscriptions) {
    health[`subscription ${pubsub}/${one.topic}`] = { status: status(one.state === "running"), details: one };
  }
  return health;
}
