import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { catalogue } from "../../src/errors/catalogue.ts";
import { OVER_GRPC } from "./over-grpc.ts";

/** A value that must not be seen in any output. */
const SECRET = "s3cr3t-value";
const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const RIGHT = "pubsubs: { p: { type: in-memory } }\n";

let directory = "";
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "golden-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  rmSync(directory, { recursive: true });
});

interface Case {
  /** The error of the catalogue that it is about. None: the command line's own. */
  readonly id?: string;
  readonly file?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: () => unknown;
  readonly code: 1 | 2;
}

const cases: Readonly<Record<string, Case>> = {
  "no-configuration": { id: "CONFIG_NONE_FOUND", args: ["start"], code: 2 },
  "no-such-file": { id: "CONFIG_UNREADABLE", args: ["start", "-c", "none.yaml"], code: 2 },
  "a-directory-without-files": {
    id: "CONFIG_UNREADABLE",
    args: ["start", "-c", "empty"],
    prepare: () => mkdirSync(join(directory, "empty")),
    code: 2,
  },
  "an-empty-file": { id: "CONFIG_EMPTY", file: "", code: 2 },
  "broken-yaml": { id: "CONFIG_SYNTAX", file: "pubsubs:\n  p: { type: in-memory\n", code: 2 },
  "broken-json": { id: "CONFIG_SYNTAX", file: '{ "app": { "id": "a", } "listen": {} }', code: 2 },
  "two-documents": { id: "CONFIG_SYNTAX", file: `${RIGHT}---\n${RIGHT}`, code: 2 },
  "a-key-twice": { id: "CONFIG_DUPLICATE_KEY", file: "app: { id: a }\npubsubs: {}\napp: { id: b }\n", code: 2 },
  "a-misspelt-key": { id: "CONFIG_UNKNOWN_KEY", file: "pubsub: {}\npublish: { timout: 5s }\n", code: 2 },
  "a-misspelt-key-beside-a-secret": {
    id: "CONFIG_UNKNOWN_KEY",
    file: `pubsubs: { p: { type: redis, metadata: { redisHots: a, redisPassword: ${SECRET} } } }\n`,
    code: 2,
  },
  "no-type": { id: "CONFIG_MISSING", file: "pubsubs:\n  p: { metadata: {} }\n", code: 2 },
  "wrong-values": {
    id: "CONFIG_VALUE",
    file: "app: { address: nowhere }\npublish: { timeout: 5 seconds, buffer: lots }\ndelivery: { maxInFlight: 0 }\nhealth: { readiness: loose }\nlog: []\n",
    code: 2,
  },
  "wrong-policies": {
    id: "CONFIG_VALUE",
    file: `publish: { retry: { factor: 0, maxFailures: none, permanent: [SOMETIMES] }, breaker: { pause: 1s }, rate: 0.5 }
pubsubs:
  p: { type: in-memory, publish: { timeout: long, duplicates: maybe, retry: { permanent: UNAVAILABLE }, breaker: { failures: 0 }, rate: fast } }
  q: { type: in-memory, publish: { maxBatch: 1, retry: { frist: 1s } } }
  r: { type: in-memory, publish: 5s }
`,
    code: 2,
  },
  "a-wrong-port": { id: "CONFIG_VALUE", file: RIGHT, args: ["start", "-c", "layotto.yaml", "--grpc-port", "99999"], code: 2 },
  "a-wrong-port-from-the-environment": { id: "CONFIG_VALUE", file: RIGHT, env: { LAYOTTO_HTTP_PORT: "http" }, code: 2 },
  "an-unknown-type": { id: "CONFIG_UNKNOWN_TYPE", file: "pubsubs: { p: { type: rediss } }\n", code: 2 },
  "an-unknown-pubsub": { id: "CONFIG_UNKNOWN_PUBSUB", file: `${RIGHT}subscriptions: [{ pubsub: q, topic: t }]\n`, code: 2 },
  "a-subscription-twice": {
    id: "CONFIG_SUBSCRIPTION_TWICE",
    file: `${RIGHT}subscriptions:\n  - { pubsub: p, topic: t }\n  - { pubsub: p, topic: t }\n`,
    code: 2,
  },
  "dead-letters-in-a-circle": {
    id: "CONFIG_DEAD_LETTER_LOOP",
    file: `${RIGHT}subscriptions: [{ pubsub: p, topic: t, deadLetterTopic: t }]\n`,
    code: 2,
  },
  "an-address-twice": { id: "CONFIG_ADDRESS_TWICE", file: "listen: { grpc: 127.0.0.1:7000, http: 127.0.0.1:7000 }\n", code: 2 },
  "an-unset-variable": { id: "CONFIG_VARIABLE_UNSET", file: 'app: { id: "${NOT_SET_ANYWHERE}" }\n', code: 2 },
  "a-variable-that-cannot-be-read": { id: "CONFIG_VARIABLE_SYNTAX", file: 'app: { id: "${NOT SET" }\n', code: 2 },
  "a-wrong-value-from-a-variable": { id: "CONFIG_VALUE", file: 'publish: { timeout: "${WAIT}" }\n', env: { WAIT: "5 seconds" }, code: 2 },
  "secrets-that-are-not-there": {
    id: "CONFIG_SECRET",
    file: `pubsubs:
  p: { type: redis, metadata: { redisHost: "a:1", redisPassword: { secret: env:NOT_SET_ANYWHERE } } }
  q: { type: redis, metadata: { redisHost: "a:1", redisPassword: { secret: file:none } } }
  r: { type: redis, metadata: { redisHost: "a:1", redisPassword: { secret: vault } } }
`,
    code: 2,
  },
  "a-secret-where-a-number-must-be": {
    id: "CONFIG_VALUE",
    file: 'pubsubs: { p: { type: redis, metadata: { redisHost: "a:1", queueDepth: { secret: env:HIDDEN } } } }\n',
    env: { HIDDEN: SECRET },
    code: 2,
  },
  "a-port-in-use": {
    id: "LISTEN_FAILED",
    file: RIGHT,
    args: ["start", "-c", "layotto.yaml", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "19999"],
    prepare: async () => {
      const server = createServer().listen(19_999, "127.0.0.1");
      await once(server, "listening");
      cleanups.push(() => server.close());
    },
    code: 1,
  },
  "a-port-on-another-machine": {
    id: "LISTEN_FAILED",
    file: "listen: { grpc: 192.0.2.1:7000, http: 127.0.0.1:0, metrics: 127.0.0.1:0 }\npubsubs: { p: { type: in-memory } }\n",
    code: 1,
  },
  "validate-wrong": { id: "CONFIG_UNKNOWN_KEY", file: "apps: {}\n", args: ["validate", "layotto.yaml"], code: 2 },
  "an-unknown-command": { args: ["fly"], code: 2 },
  "an-unknown-flag": { args: ["start", "--fast"], code: 2 },
  "publish-without-data": { args: ["publish", "p", "t"], code: 2 },
  "publish-to-a-bad-address": { args: ["publish", "p", "t", "x", "-a", "nowhere"], code: 2 },
  "publish-with-bad-metadata": { args: ["publish", "p", "t", "x", "-m", "ttl"], code: 2 },
  "publish-with-a-bad-timeout": { args: ["publish", "p", "t", "x", "--timeout", "soon"], code: 2 },
  "bench-without-a-publish-at-once": { args: ["bench", "p", "t", "--in-flight", "0"], code: 2 },
  "subscribe-with-a-bad-count": { args: ["subscribe", "p", "t", "--count", "0"], code: 2 },
};

test("every error that a configuration or a command line can cause is here", () => {
  const here = new Set(Object.values(cases).map(({ id }) => id));
  expect(catalogue.map(({ id }) => id).filter((id) => !OVER_GRPC.includes(id) && !here.has(id))).toEqual([]);
});

const took: number[] = [];
test.each(Object.entries(cases))(
  "%s",
  async (name, { file, args = ["start", "-c", "layotto.yaml"], env = {}, prepare, code }) => {
    if (file !== undefined) writeFileSync(join(directory, "layotto.yaml"), file);
    await prepare?.();
    const before = performance.now();
    const { LAYOTTO_DATA_DIR: _, ...inherited } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: directory, env: { ...inherited, NO_COLOR: "1", ...env } });
    const chunks: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (text: Buffer) => (chunks[stream] += text));
    const [ended] = await once(child, "close");
    took.push(performance.now() - before);
    expect([ended, chunks.stdout]).toEqual([code, ""]);
    expect(chunks.stderr).not.toMatch(/^ {4}at /m);
    expect(chunks.stderr).not.toContain(SECRET);
    await expect(chunks.stderr).toMatchFileSnapshot(`golden/${name}.txt`);
  },
  20_000,
);

afterAll(() => {
  // The median, since a machine that is busy elsewhere must not make a test fail.
  expect(took.sort((a, b) => a - b)[Math.floor(took.length / 2)]).toBeLessThan(2_000);
});
