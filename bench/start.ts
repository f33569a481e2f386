// npm run bench:start: how long the published sidecar takes to be ready with Redis, and what it then weighs. Medians of five.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as passes } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startRedis } from "../test/brokers/redis.ts";
import { median } from "./measured.ts";

const STAGED = fileURLToPath(new URL("../stage/sidecar/dist/main.js", import.meta.url));
const RUNS = 5;
const RESTS_MS = 10_000;

const redis = await startRedis();
const directory = mkdtempSync(join(tmpdir(), "bench-start-"));
const config = join(directory, "layotto.json");
writeFileSync(config, JSON.stringify({ pubsubs: { broker: { type: "redis", metadata: { redisHost: `127.0.0.1:${redis.port}` } } } }));
const found: { readonly readyMs: number; readonly mib: number }[] = [];
try {
  for (let run = 0; run < RUNS; run++) found.push(await oneRun());
  console.log(`ready ${median(found.map(({ readyMs }) => readyMs)).toFixed(0)} ms after its spawn`);
  console.log(`${median(found.map(({ mib }) => mib)).toFixed(1)} MiB resident ${RESTS_MS / 1_000} s later`);
} finally {
  await redis.stop();
  rmSync(directory, { recursive: true });
}

async function oneRun(): Promise<{ readonly readyMs: number; readonly mib: number }> {
  const flags = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"];
  const since = performance.now();
  const child = spawn(process.execPath, [STAGED, "start", "-c", config, ...flags], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  while (!printed.includes("layotto is ready")) printed += String((await once(child.stdout, "data"))[0]);
  const readyMs = performance.now() - since;
  await passes(RESTS_MS);
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
  child.kill("SIGTERM");
  await once(child, "exit");
  return { readyMs, mib: Number(kib) / 1_024 };
}
