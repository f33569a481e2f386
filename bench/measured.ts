import { type LoadOptions, type LoadReport, load } from "../src/load/load.ts";
import { freePorts, PUBSUB, type Running, type System, start } from "./sidecar.ts";

/** One run of a load on a sidecar of its own. */
export async function measured(
  system: System,
  options: Pick<LoadOptions, "inFlight" | "rate" | "seconds" | "keys" | "order">,
): Promise<LoadReport> {
  const ports = await freePorts();
  const local = (port: number) => ({ host: "127.0.0.1", port });
  let sidecar: Running | undefined;
  // The app is there first: a Go Layotto asks it once, when it starts.
  const report = load({
    ...options,
    sidecar: local(ports.grpc),
    app: local(ports.app),
    api: system.api,
    pubsub: PUBSUB,
    topic: `bench-${Date.now()}`,
    warmUpSeconds: 2,
    size: 256,
    pid: () => sidecar?.pid,
  });
  // Awaited below, unless the sidecar does not start: then that is the error to tell.
  report.catch(() => undefined);
  try {
    sidecar = await start(system, ports);
    return await report;
  } finally {
    await sidecar?.stop();
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
