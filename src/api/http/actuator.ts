import type { Routes } from "./server.ts";

/** As Layotto's health knows them. */
export type HealthStatus = "INIT" | "UP" | "DOWN";

export interface HealthComponent {
  readonly status: HealthStatus;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the actuator tells, and where it turns to. */
export interface Actuated {
  /** Whether the process turns. */
  liveness(): Readonly<Record<string, HealthComponent>>;
  /** Whether it can take work: configuration applied, listeners up. Brokers and subscriptions are details, or a broker's blip would take the pod out. */
  readiness(): Readonly<Record<string, HealthComponent>>;
  readonly version: string;
  /** RFC 3339. */
  readonly compiled: string;
  /** Changes the log's level. False: there is no such level. */
  setLogLevel(level: string): boolean;
}

/** Layotto's actuator: the same paths, bodies and codes. A status that is not UP is code 500, as Layotto's code has it (its documents say 503). */
export function actuator(actuated: Actuated): Routes {
  return {
    "GET /actuator/health/liveness": () => health(actuated.liveness()),
    "GET /actuator/health/readiness": () => health(actuated.readiness()),
    "GET /actuator/info": () => ({
      status: 200,
      json: { app: { name: "Layotto", version: actuated.version, compiled: actuated.compiled } },
    }),
    "POST /actuator/logger": (body) => {
      const level = levelIn(body);
      if (level === undefined)
        return { status: 400, json: { error: 'expected a JSON object such as {"component":"layotto","level":"debug"}' } };
      if (!actuated.setLogLevel(level)) return { status: 400, json: { error: `there is no log level "${level}"` } };
      return { status: 200, json: { level } };
    },
  };
}

function health(components: Readonly<Record<string, HealthComponent>>): { status: number; json: unknown } {
  const states = Object.values(components).map((component) => component.status);
  const status: HealthStatus = states.includes("DOWN") ? "DOWN" : states.includes("INIT") ? "INIT" : "UP";
  return { status: status === "UP" ? 200 : 500, json: { components, status } };
}

function levelIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const level = typeof value === "object" && value !== null && "level" in value ? value.level : undefined;
    return typeof level === "string" ? level.toLowerCase() : undefined;
  } catch {
    return undefined;
  }
}
