import type { Registry } from "prom-client";
import type { Histogram } from "./histogram.ts";

export type Labels = Readonly<Record<string, string>>;

interface Described<Type extends string, Value> {
  readonly type: Type;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** What it is at the moment, a value for each set of labels. */
  readonly read: () => Iterable<readonly [Labels, Value]>;
}

/** A metric as data: read when somebody scrapes, and not before. */
export type Metric = Described<"counter" | "gauge", number> | Described<"histogram", Histogram>;

/** What a scrape gets. */
export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Prometheus' text format, version 0.0.4: `metrics`, then the process's own (CPU, memory, the event loop's delay, garbage collection), which are measured from `loadAfterMs` on. */
export function exposition(metrics: readonly Metric[], loadAfterMs = 1_000): Exposition {
  let own: Registry | undefined;
  const load = async () => {
    own = await ofProcess();
  };
  // Not at once: it would lengthen each start. Until then they are not shown, since nothing is measured yet.
  setTimeout(
    () => load().catch((error: unknown) => process.emitWarning(`no metrics of the process: ${String(error)}`)),
    loadAfterMs,
  ).unref();
  return {
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    async text() {
      return `${metrics.map(shown).join("")}${(await own?.metrics()) ?? ""}`;
    },
  };
}

async function ofProcess(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import("prom-client");
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register;
}

function shown(metric: Metric): string {
  const { name, help, type } = metric;
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${[...samples(metric)].join("\n")}\n\n`;
}

function* samples(metric: Metric): Iterable<string> {
  const { name } = metric;
  if (metric.type !== "histogram") {
    for (const [labels, value] of metric.read()) yield sample(name, labels, value);
    return;
  }
  for (const [labels, { bounds, counts, sum }] of metric.read()) {
    let below = 0;
    for (const [place, count] of counts.entries()) {
      below += count;
      yield sample(`${name}_bucket`, { ...labels, le: String(bounds[place] ?? "+Inf") }, below);
    }
    yield sample(`${name}_sum`, labels, sum);
    yield sample(`${name}_count`, labels, below);
  }
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
