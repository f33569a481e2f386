// npm run redis: a Redis in the foreground, as the quick start wants it. Ctrl-C ends it; nothing of it stays.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisArguments, redisAvailable } from "../test/brokers/redis.ts";

const port = Number(process.argv[2] ?? 6380);
const missing = redisAvailable();
if (missing !== undefined) {
  console.error(`${missing}.\nInstall Redis, or run it in Docker:\n\n  docker run -it --rm --name redis-test -p ${port}:6379 redis\n`);
  process.exit(1);
}

const directory = mkdtempSync(join(tmpdir(), "redis-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const server = spawn("redis-server", redisArguments(port, directory), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => server.kill("SIGTERM"));
server.on("exit", (code, signal) => {
  if (code !== 0)
    console.error(`Redis ended (${signal ?? `exit code ${code}`}). Is port ${port} taken? Another one: npm run redis -- PORT`);
  process.exit(code ?? 1);
});
