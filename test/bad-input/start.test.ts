import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Program } from "../e2e/program.ts";
import { PUBSUB, Rig, TOPIC } from "../e2e/rig.ts";

let directory = "";
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bad-input-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(directory, { recursive: true });
});

function start(...args: readonly string[]): Program {
  const program = new Program("src/main.ts", ["start", "--data-dir", directory, ...args]);
  cleanups.push(() => {
    program.kill();
    return program.ended();
  });
  return program;
}

function configured(text: string): string {
  const file = join(directory, "layotto.yaml");
  writeFileSync(file, text);
  return file;
}

describe("a start that cannot be ends with one clear error, and nothing runs", () => {
  const wrong: readonly [what: string, text: string, line: string, found: string, expected: string][] = [
    ["an unknown component type", "pubsubs: { p: { type: rediss } }", "1:23  pubsubs.p.type", 'the component type "rediss"', '"redis"?'],
    [
      "a misspelt key",
      "pubsubs:\n  p: { type: redis, metadata: { redisHots: x } }",
      "2:33  pubsubs.p.metadata.redisHots",
      'unknown key "redisHots"',
      'expected: one of the 42 keys in docs/configuration.md; did you mean "redisHost"?\n',
    ],
    [
      "an unset variable",
      'app: { id: "${NOT_SET_ANYWHERE}" }',
      "1:12  app.id",
      "the variable NOT_SET_ANYWHERE, which is not set",
      "a value for it in the environment, or a default: ${NOT_SET_ANYWHERE:-default}",
    ],
  ];
  for (const [what, text, line, found, expected] of wrong) {
    test(what, async () => {
      const file = configured(text);
      const program = start("-c", file);
      expect(await program.ended()).toBe(2);
      expect(program.stdout).toBe("");
      expect(program.stderr).toContain(`layotto: the configuration is wrong; nothing was started\n\n${file}:${line}\n  found: ${found}\n`);
      expect(program.stderr).toContain(expected);
      expect(program.stderr).not.toMatch(/\n {4}at /);
    });
  }

  test("an unreadable file", async () => {
    const program = start("-c", join(directory, "none.yaml"));
    expect(await program.ended()).toBe(2);
    expect(program.stderr).toMatch(/none\.yaml\n {2}found: no such file\n {2}expected: a file of JSON or YAML that can be read\n$/);
  });

  for (const listener of ["grpc", "http"]) {
    test(`a port in use, that of ${listener}`, async () => {
      const other = listener === "grpc" ? "http" : "grpc";
      const first = start("--embedded", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0");
      await first.printed("layotto is ready");
      const [, port = ""] = new RegExp(`"${listener}":\\[?"127\\.0\\.0\\.1:(\\d+)"`).exec(first.stdout) ?? [];
      const file = configured("pubsubs: { p: { type: in-memory } }");
      const program = start("-c", file, `--${listener}-port`, port, `--${other}-port`, "0", "--metrics-port", "0");
      expect(await program.ended()).toBe(1);
      expect(program.stdout).not.toContain("layotto is ready");
      expect(program.stderr).toBe(
        `layotto: not started: cannot listen on 127.0.0.1:${port}: another program listens there (EADDRINUSE)
Stop the program that has it, or choose another: --grpc-port, --http-port, --metrics-port (0 is any free one), or listen in the configuration.
`,
      );
    });
  }

  test("a data directory that another sidecar holds", async () => {
    const first = start("--embedded", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0");
    await first.printed("layotto is ready");
    const program = start("--embedded", "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0");
    expect(await program.ended()).toBe(1);
    expect(program.stderr).toMatch(/^layotto: not started: .*pubsub\.db.*process \d+/);
    expect(program.stderr).not.toMatch(/\n {4}at /);
  });
});

test("a bad publish is refused with its reason, and harms no other", async () => {
  const rig = await Rig.make({ type: "in-memory", metadata: {} });
  cleanups.push(() => rig.close());
  await rig.startApp();
  await rig.startSidecar();
  await rig.expectState("running");
  const refused: readonly [reason: string, pubsub: string, topic: string, data: string | Uint8Array, metadata: Record<string, string>][] = [
    [`INVALID_ARGUMENT: topic is empty in pubsub ${PUBSUB}`, PUBSUB, "", "x", {}],
    ["INVALID_ARGUMENT: pubsub name is empty", "", TOPIC, "x", {}],
    ["INVALID_ARGUMENT: pubsub nope not found", "nope", TOPIC, "x", {}],
    [
      `RESOURCE_EXHAUSTED: error when publish to topic ${TOPIC} in pubsub ${PUBSUB}: the message has 5000000 bytes, the limit is 4194304`,
      PUBSUB,
      TOPIC,
      new Uint8Array(5_000_000),
      {},
    ],
    ["INVALID_ARGUMENT: cannot create cloudevent: ", PUBSUB, TOPIC, "x", { ttlInSeconds: "soon" }],
    ["INVALID_ARGUMENT: cannot create cloudevent: ", PUBSUB, TOPIC, "x", { ttlInSeconds: "-1" }],
  ];
  for (const [reason, pubsub, topic, data, metadata] of refused) {
    const { publisher } = rig;
    await expect(publisher.publishEvent(pubsub, topic, data, { metadata })).rejects.toThrow(reason);
  }
  const broken = rig.publisher.publishEvent(PUBSUB, TOPIC, "{", { contentType: "application/cloudevents+json" });
  await expect(broken).rejects.toThrow("INVALID_ARGUMENT: cannot create cloudevent: ");
  await rig.publisher.publishEvent(PUBSUB, TOPIC, "good");
  await rig.took((event) => event.text() === "good");
  expect(rig.received.map((event) => event.text())).toEqual(["good"]);
});
