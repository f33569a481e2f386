// npm run bench -- [--go BINARY] [--dapr BINARY] [--rounds 3] [--seconds 5]: what a message costs, on each component, beside the Go sidecars on Redis.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { LoadOptions, LoadReport } from "../src/load/load.ts";
import { redisAvailable, startRedis } from "../test/brokers/redis.ts";
import { measured, median } from "./measured.ts";
import { topLines } from "./profile.ts";
import { type Component, dapr, goLayotto, ours, type System } from "./sidecar.ts";

const { values } = parseArgs({
  options: {
    go: { type: "string" },
    dapr: { type: "string" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const LOADS: Readonly<Record<string, Pick<LoadOptions, "inFlight" | "rate">>> = {
  "64 in flight": { inFlight: 64 },
  "2,000 a second": { inFlight: 256, rate: 2_000 },
  "one at a time": { inFlight: 1 },
};

const missing = redisAvailable();
if (missing) console.error(`without Redis: ${missing}`);
const redis = missing ? undefined : await startRedis({ extraArgs: ["--appendonly", "no"] });
const onRedis: Component = { type: "redis", metadata: { redisHost: `127.0.0.1:${redis?.port}`, redisPassword: "" } };

const systems: readonly (readonly [on: string, system: System])[] = [
  ["in-memory", ours({ type: "in-memory", metadata: {} })],
  ["embedded", ours({ type: "embedded", metadata: {} })],
  ...(redis ? ([["redis", ours(onRedis)]] as const) : []),
  ...(redis && values.go ? ([["redis", goLayotto(values.go, onRedis)]] as const) : []),
  ...(redis && values.dapr ? ([["redis", dapr(values.dapr, onRedis)]] as const) : []),
];

const reports = new Map<string, LoadReport[]>();
try {
  for (let round = 1; round <= rounds; round++) {
    for (const [on, system] of systems) {
      for (const [name, options] of Object.entries(LOADS)) {
        console.error(`round ${round} of ${rounds}: ${system.name} on ${on}, ${name}`);
        const report = await measured(system, { ...options, seconds });
        const key = `${name} | ${on} | ${system.name}`;
        reports.set(key, [...(reports.get(key) ?? []), report]);
      }
    }
  }
  console.log(
    `${cpus().length} cores, Node ${process.version}, 256 bytes, ${rounds} rounds of ${seconds} s, medians; the load's own process is on the same cores.\n`,
  );
  console.log(
    "| load | broker | sidecar | delivered/s | CPU a message | publish p50, p99 | end to end p50, p99 | resident | lost, twice |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const [key, list] of [...reports].sort(([a], [b]) => a.localeCompare(b))) console.log(row(key, list));
  if (redis) console.log(`\nThe five dearest lines of the profile on Redis, 64 in flight:\n\n${(await profiled()).join("\n")}`);
} finally {
  await redis?.stop();
}

async function profiled(): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "profile-"));
  await measured(ours(onRedis, ["--cpu-prof", `--cpu-prof-dir=${directory}`]), { inFlight: 64, seconds });
  const [file = ""] = readdirSync(directory);
  const lines = topLines(readFileSync(join(directory, file), "utf8"), 5);
  rmSync(directory, { recursive: true });
  return lines;
}

function row(key: string, list: readonly LoadReport[]): string {
  const of = (read: (report: LoadReport) => number | undefined) => median(list.map((one) => read(one) ?? Number.NaN));
  const ms = (us: number) => (us / 1_000).toFixed(us < 10_000 ? 2 : 0);
  const publish = `${ms(of(({ publish }) => publish.p50))}, ${ms(of(({ publish }) => publish.p99))} ms`;
  const endToEnd = `${ms(of(({ endToEnd }) => endToEnd?.p50))}, ${ms(of(({ endToEnd }) => endToEnd?.p99))} ms`;
  const cells = [
    Math.round(of((one) => (one.delivered ?? 0) / (one.deliveredSeconds ?? one.seconds))).toLocaleString("en"),
    `${Math.round(of((one) => one.cpuPerMessage))} µs`,
    publish,
    endToEnd,
    `${Math.round(of((one) => one.rssBytes) / 2 ** 20)} MiB`,
    `${list.reduce((sum, one) => sum + (one.missing ?? 0), 0)}, ${list.reduce((sum, one) => sum + (one.duplicates ?? 0), 0)}`,
  ];
  return `| ${key} | ${cells.join(" | ")} |`;
}
