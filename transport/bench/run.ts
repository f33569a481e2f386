// node transport/bench/run.ts [rounds] [ms]: what a call costs, beside @grpc/grpc-js and node:http2, in interleaved rounds.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import type { Said, Work } from "./peers.ts";

const rounds = Number(process.argv[2] ?? 5);
const ms = Number(process.argv[3] ?? 3_000);
const WARM_UP_MS = 2_000;

/** One line of the table: who is measured, against whom, doing what. */
const CASES = [
  { what: "server, unary, empty", kind: "unary", bytes: 0, servers: ["ours", "node:http2", "grpc-js"], clients: ["ours"] },
  { what: "server, one stream both ways, 256 B", kind: "streaming", bytes: 256, servers: ["ours", "grpc-js"], clients: ["ours"] },
  { what: "client, unary, empty", kind: "unary", bytes: 0, servers: ["ours"], clients: ["ours", "grpc-js"] },
  { what: "client, one stream both ways, 256 B", kind: "streaming", bytes: 256, servers: ["ours"], clients: ["ours", "grpc-js"] },
] as const;

const results = new Map<string, { readonly cpu: number[]; readonly rate: number[] }>();
for (let round = 1; round <= rounds; round++) {
  for (const { what, kind, bytes, servers, clients } of CASES) {
    for (const server of servers) {
      for (const client of clients) {
        const side = what.startsWith("server") ? "server" : "client";
        const key = `${what} | ${side === "server" ? server : client}`;
        console.error(`round ${round} of ${rounds}: ${key}`);
        const result = results.get(key) ?? { cpu: [], rate: [] };
        const { cpu, rate } = await measured(side, `server ${server}`, `client ${client}`, { kind, bytes, inFlight: 64 });
        result.cpu.push(cpu);
        result.rate.push(rate);
        results.set(key, result);
      }
    }
  }
}
console.log(
  `${cpus().length} cores, Node ${process.version}, 64 in flight, ${rounds} interleaved rounds of ${ms} ms after ${WARM_UP_MS} ms of warm-up.\n`,
);
console.log("| what | who | CPU a call or message, µs: median (least to most) | a second | times ours |\n|---|---|---|---|---|");
for (const [key, { cpu, rate }] of results) {
  const ours = results.get(`${key.split(" | ")[0]} | ours`);
  const ratio = median(cpu) / median(ours?.cpu ?? cpu);
  const spread = `${Math.min(...cpu).toFixed(2)} to ${Math.max(...cpu).toFixed(2)}`;
  console.log(
    `| ${key} | ${median(cpu).toFixed(2)} (${spread}) | ${Math.round(median(rate)).toLocaleString("en")} | ${ratio.toFixed(1)} |`,
  );
}

/** Both processes are new in each round. The CPU is that of one of them. */
async function measured(side: "server" | "client", server: string, client: string, work: Omit<Work, "port" | "ms">) {
  const serving = start(server);
  const calling = start(client);
  try {
    const { port } = await said(serving, "port");
    await load(calling, { ...work, port, ms: WARM_UP_MS });
    const subject = side === "server" ? serving : calling;
    const before = await cpuOf(subject);
    const { calls } = await load(calling, { ...work, port, ms });
    return { cpu: ((await cpuOf(subject)) - before) / calls, rate: (calls * 1_000) / ms };
  } finally {
    for (const child of [calling, serving]) {
      child.disconnect();
      await once(child, "exit");
    }
  }
}

function start(role: string): ChildProcess {
  return fork(fileURLToPath(new URL("peers.ts", import.meta.url)), [role]);
}

async function load(child: ChildProcess, work: Work): Promise<{ readonly calls: number }> {
  child.send(work);
  return said(child, "calls");
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send("cpu");
  return (await said(child, "cpu")).cpu;
}

async function said<Key extends string>(child: ChildProcess, key: Key): Promise<Extract<Said, Record<Key, number>>> {
  for (;;) {
    const ended = once(child, "exit").then(() => Promise.reject(new Error("a process ended before it had said its figures")));
    const [message] = (await Promise.race([once(child, "message"), ended])) as [Said];
    if (key in message) return message as Extract<Said, Record<Key, number>>;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
