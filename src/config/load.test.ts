import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../errors/config-error.ts";
import { type LoadedConfig, type LoadOptions, loadConfig } from "./load.ts";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "config-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({
  env: {},
  cwd,
  embedded: false,
  isTerminal: false,
  overrides: {},
  ...more,
});

function load(text: string, more: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  writeFileSync(join(cwd, "a.yaml"), text);
  return loadConfig(options({ file: "a.yaml", ...more }));
}

async function mistakes(text: string, more: Partial<LoadOptions> = {}): Promise<string> {
  const error = await load(text, more).then(
    () => new Error("it was taken"),
    (caught: unknown) => caught,
  );
  return error instanceof ConfigError ? error.format() : String(error);
}

const MOSN = (grpcConfig: string) => `{
  "metrics": { "sinks": [{ "type": "prometheus", "config": { "port": 34997 } }] },
  "servers": [{ "listeners": [
    { "Address": "0.0.0.0:34904", "filter_chains": [{ "filters": [{ "type": "grpc", "config": { "grpc_config": ${grpcConfig} } }] }] },
    { "address": "/tmp/l.sock", "network": "unix", "filter_chains": [{ "filters": [{ "type": "grpc", "config": {} }] }] },
    { "address": "localhost:34998", "stream_filters": [{ "type": "actuator_filter" }] }
  ] }]
}`;

/** One of Dapr's resources. */
const COMPONENT = (name: string, type: string, more = "") => `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: ${name} }
spec:
  type: ${type}
  version: v1
  metadata: [${more}]
`;

describe("our own form", () => {
  test("an empty group means its defaults", async () => {
    const { settings, logLevel, notices } = await load("app:\npubsubs:\n  p: { type: in-memory }\n");
    expect(settings).toMatchObject({
      appId: "app1",
      appAddress: "127.0.0.1:9999",
      grpcAddresses: ["127.0.0.1:34904"],
      httpAddress: "127.0.0.1:34999",
      dataDir: join(cwd, ".layotto"),
      publishBuffer: 64 * 2 ** 20,
      maxMessageBytes: 4 * 2 ** 20,
      deliveryBuffer: 64 * 2 ** 20,
      shutdownTimeoutMs: 25_000,
      readiness: "lenient",
      subscriptions: [],
    });
    expect([logLevel, notices, settings.pubsubs.get("p")?.group]).toEqual(["info", [], "app1"]);
  });

  test.each([
    [{ type: "kafka", metadata: { brokers: "h", consumerGroup: "own", consumerID: "other" } }, "own"],
    [{ type: "rocketmq", metadata: { endpoints: "h", consumerGroup: "own" } }, "own"],
    [{ type: "kafka", metadata: { brokers: "h", consumerID: "other" } }, "other"],
    [{ type: "kafka", metadata: { brokers: "h" } }, "app1"],
    [{ type: "rocketmq", metadata: { endpoints: "h", groupName: "older" } }, "older"],
    [{ type: "rocketmq", metadata: { endpoints: "h", groupName: "older", consumerGroup: "own" } }, "own"],
  ])("the group of %j is %s", async (component, group) => {
    const { settings } = await load(JSON.stringify({ pubsubs: { p: component } }));
    expect(settings.pubsubs.get("p")?.group).toBe(group);
  });

  test.each([
    [{ type: "kafka", metadata: { brokers: "h" } }, { start: "earliest" }],
    [{ type: "kafka", metadata: { brokers: "h", initialOffset: "newest" } }, { start: "latest" }],
    [{ type: "redis", metadata: { redisHost: "h", concurrency: "1" } }, { maxInFlight: 1 }],
    [{ type: "redis", metadata: { redisHost: "h" } }, {}],
    [{ type: "snssqs", metadata: { concurrencyMode: "single", concurrencyLimit: 5 } }, { maxInFlight: 1 }],
    [{ type: "snssqs", metadata: { concurrencyLimit: 5 } }, { maxInFlight: 5 }],
    [{ type: "in-memory" }, undefined],
  ])("how %j is read: %j", async (component, reading) => {
    const { settings } = await load(JSON.stringify({ pubsubs: { p: component } }));
    expect(settings.pubsubs.get("p")?.reading).toEqual(reading);
  });

  test("every mistake is told at its place, with what was expected and the nearest key, and nothing else happens", async () => {
    const text = await mistakes(`
app: { id: 7, adress: "x" }
listen: { grpc: nonsense }
pubsubs:
  pubsub: { type: in-memroy }
  other: { type: in-memory, metadata: { maxByte: 1MiB, maxBytes: many, consumerID: "\${NOPE}" } }
  third: { metadata: [] }
subscriptions: [{ pubsub: othr, topic: a, start: { time: no } }]
`);
    expect(text).toBe(`a.yaml:2:15  app.adress
  found: unknown key "adress"
  expected: one of id, address; did you mean "address"?

a.yaml:3:17  listen.grpc
  found: "nonsense"
  expected: HOST:PORT or unix:///PATH

a.yaml:5:19  pubsubs.pubsub.type
  found: the component type "in-memroy"
  expected: one of embedded, in-memory, kafka, redis, rocketmq, snssqs; did you mean "in-memory"?

a.yaml:6:41  pubsubs.other.metadata.maxByte
  found: unknown key "maxByte"
  expected: one of maxBytes, broker; did you mean "maxBytes"?

a.yaml:6:66  pubsubs.other.metadata.maxBytes
  found: "many"
  expected: a size such as 64MiB, 256KB or a number of bytes

a.yaml:6:84  pubsubs.other.metadata.consumerID
  found: the variable NOPE, which is not set
  expected: a value for it in the environment, or a default: \${NOPE:-default}

a.yaml:7:3  pubsubs.third.type
  found: nothing
  expected: text

a.yaml:7:12  pubsubs.third.metadata
  found: a list
  expected: a group of keys

a.yaml:8:27  subscriptions[0].pubsub
  found: "othr", which is not configured
  expected: one of pubsub, other, third; did you mean "other"?

a.yaml:8:58  subscriptions[0].start.time
  found: "no"
  expected: a time such as 2026-11-23T10:00:00Z`);
  });

  test.each([
    ["{ type: in-memory }", "order: topic", "none or key; this broker keeps it for each key alone"],
    ["{ type: snssqs }", "order: key", "none; this broker, as it is configured, keeps none"],
    ["{ type: snssqs }", "metadata: { order: key }", "none; this broker, as it is configured, keeps none"],
    ["{ type: snssqs, metadata: { fifo: true } }", "order: topic", "none or key; this broker keeps it for each key alone"],
  ])("of %s an order that it cannot keep: %s", async (component, order, expected) => {
    const text = await mistakes(`pubsubs: { p: ${component} }\nsubscriptions: [{ pubsub: p, topic: t, ${order} }]\n`);
    expect(text).toMatch(/^a\.yaml:2:\d+ {2}subscriptions\[0\]\.(metadata\.)?order\n {2}found: "(topic|key)"\n {2}expected: /);
    expect(text.endsWith(expected)).toBe(true);
  });

  test("an order that can be kept, by what the component's options say", async () => {
    const { settings } = await load(
      "pubsubs: { p: { type: snssqs, metadata: { fifo: true } } }\nsubscriptions: [{ pubsub: p, topic: t, order: key }]\n",
    );
    expect(settings.subscriptions[0]?.order).toBe("key");
  });

  test.each([
    ["an empty file", "", "a.yaml\n  found: an empty file\n  expected: a configuration"],
    ["a key twice", "app: {}\napp: {}\n", 'a.yaml:2:1\n  found: the key "app" a second time\n  expected: each key once'],
    ["bad syntax", '{ "app": ', "a.yaml:1:"],
    ["a list", "- a", "a.yaml:1:1\n  found: a list\n  expected: a group of keys"],
  ])("%s", async (_, text, expected) => {
    expect((await mistakes(text)).startsWith(expected)).toBe(true);
  });

  test("variables fill values in, with a default or escaped", async () => {
    const text = 'app: { id: "${ID}-${ZONE:-eu}" }\npubsubs: { p: { type: in-memory, metadata: { consumerID: "$${x}" } } }\n';
    const { settings } = await load(text, { env: { ID: "shop" } });
    expect([settings.appId, settings.pubsubs.get("p")?.group]).toEqual(["shop-eu", "${x}"]);
  });

  test("secrets come from the environment and from files, and are in no error", async () => {
    writeFileSync(join(cwd, "s.json"), '{"redis":{"host":"not a host!"}}');
    const text = await mistakes(
      `pubsubs:
  a: { type: redis, metadata: { redisHost: { secret: env:HOST } } }
  b: { type: redis, metadata: { redisHost: { secret: "json:s.json#redis/host" } } }
  c: { type: redis, metadata: { redisHost: { secret: file:none } } }
`,
      { env: { HOST: "also not a host!" } },
    );
    expect(text).not.toMatch(/not a host/);
    expect(text).toContain("a.yaml:2:54  pubsubs.a.metadata.redisHost\n  found: a value that is not shown\n  expected: host:port");
    expect(text).toContain("b.metadata.redisHost\n  found: a value that is not shown");
    expect(text).toContain("found: the secret file:none: no such file");
    const unset = await mistakes("pubsubs:\n  a: { type: redis, metadata: { redisHost: { secret: env:HOST } } }\n");
    expect(unset).toContain("the variable is not set\n  expected: a value for HOST in the environment of the sidecar");
  });
});

describe("Layotto's form", () => {
  test("it is read as it is: any case of keys, strings for numbers, more listeners, other sections named once", async () => {
    const config =
      '{ "app": { "app_id": "a1 ", "grpc_callback_port": "9998" }, "state": {}, "lock": {}, "PUB_SUBS": { "p": { "type": "in-memory", "metadata": { "MAXBYTES": "1024", "what": "1" } } } }';
    const { settings, notices } = await load(MOSN(config));
    expect(settings).toMatchObject({
      appId: "a1",
      appAddress: "127.0.0.1:9998",
      grpcAddresses: ["0.0.0.0:34904", "unix:///tmp/l.sock"],
      httpAddress: "localhost:34998",
      metricsAddress: "localhost:34997",
    });
    expect(settings.pubsubs.get("p")?.group).toBe("a1");
    expect(notices).toEqual([
      "This sidecar serves publish and subscribe; these sections are ignored: lock, state.",
      "The component p of type in-memory does not know these keys, which are ignored: what.",
    ]);
  });

  test("secret_ref puts a store's secret into the metadata", async () => {
    const config =
      '{ "secret_store": { "s": { "type": "local.env" } }, "pub_subs": { "p": { "type": "in-memory", "metadata": {}, "secret_ref": [{ "store_name": "s", "key": "GROUP", "inject_as": "consumerID" }] } } }';
    const { settings } = await load(MOSN(config), { env: { GROUP: "g7" } });
    expect(settings.pubsubs.get("p")?.group).toBe("g7");
  });
});

describe("Dapr's form", () => {
  test("a type that Dapr names otherwise is ours by its own name", async () => {
    const { settings, notices } = await load(
      COMPONENT("aws", "pubsub.aws.snssqs", '{ name: region, value: us-east-1 }, { name: accountid, value: "123456789012" }'),
    );
    expect(settings.pubsubs.get("aws")?.type).toBe("snssqs");
    expect(notices).toEqual([]);
  });

  test("components and subscriptions, with secrets, templates and scopes; the rest is named and ignored", async () => {
    writeFileSync(join(cwd, "secrets.json"), '{"redis":{"host":"127.0.0.1:6380"}}');
    const text = [
      COMPONENT(
        "orders",
        "pubsub.redis",
        `{ name: redisHost, secretKeyRef: { name: "redis:host", key: "redis:host" } }, { name: consumerID, value: "{appID}-x" },
         { name: redisPassword, envRef: PASSWORD }, { name: whatever, value: 1 }`,
      ).concat("auth: { secretStore: files }\n"),
      COMPONENT("files", "secretstores.local.file", "{ name: secretsFile, value: secrets.json }"),
      COMPONENT("notmine", "pubsub.redis").concat("scopes: [other]\n"),
      COMPONENT("mine", "pubsub.in-memory").concat("scopes: [shop, other]\n"),
      COMPONENT("db", "state.redis"),
      `apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: one }
spec: { pubsubname: orders, topic: t1, routes: { default: /t1 }, metadata: { rawPayload: "true" } }
`,
      `apiVersion: dapr.io/v1alpha1
kind: Subscription
metadata: { name: two }
spec: { pubsubname: mine, topic: t2, route: /t2, deadLetterTopic: poison }
`,
    ].join("---\n");
    const { settings, notices } = await load(text, { env: { PASSWORD: "p" }, overrides: { appId: "shop", appPort: "7000" } });
    expect([...settings.pubsubs].map(([name, { type, group }]) => [name, type, group])).toEqual([
      ["orders", "redis", "shop-x"],
      ["mine", "in-memory", "shop"],
    ]);
    expect(settings.subscriptions).toEqual([
      { pubsub: "orders", topic: "t1", metadata: { rawPayload: "true" }, policy: {} },
      { pubsub: "mine", topic: "t2", metadata: {}, deadLetterTopic: "poison", policy: {} },
    ]);
    expect([settings.appId, settings.appAddress]).toEqual(["shop", "127.0.0.1:7000"]);
    expect(notices).toEqual([
      "By their scopes these resources are not for the app shop (--app-id): notmine.",
      "This sidecar serves publish and subscribe; these resources are ignored: state.redis db.",
      "The component orders of type redis does not know these keys, which are ignored: whatever.",
    ]);
  });

  test("what Dapr fills in: with the namespace the app's id, another uuid each time, a pod's name that must be there", async () => {
    const groupOf = async (value: string, env: Record<string, string>) => {
      const text = COMPONENT("p", "pubsub.redis", `{ name: redisHost, value: h }, { name: consumerID, value: "${value}" }`);
      const { settings, notices } = await load(text, { env, overrides: { appId: "shop" } });
      // Nobody deletes what such a group leaves.
      expect(notices).toHaveLength(value.includes("{uuid}") ? 1 : 0);
      return settings.pubsubs.get("p")?.group;
    };
    const env = { NAMESPACE: "prod", POD_NAME: "shop-0" };
    expect(await groupOf("{namespace}/{podName}/{appID}", env)).toBe("prod.shop/shop-0/shop");
    const [one, other] = [await groupOf("{uuid}", env), await groupOf("{uuid}", env)];
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(other).not.toBe(one);
    const text = await mistakes(COMPONENT("p", "pubsub.in-memory", '{ name: consumerID, value: "{podName}" }'));
    expect(text).toContain("found: the variable POD_NAME, which is not set");
  });

  test("what is to protect topics is not passed over", async () => {
    const text = await mistakes(COMPONENT("p", "pubsub.in-memory", '{ name: publishingScopes, value: "app1=" }'));
    expect(text).toContain('found: "app1="\n  expected: none: who reaches this sidecar may use every topic of the component');
  });

  test("a directory of them is read whole, and a mistake is told in its own file", async () => {
    const directory = join(cwd, "components");
    mkdirSync(directory);
    writeFileSync(join(directory, "a.yaml"), COMPONENT("a", "pubsub.in-memory"));
    writeFileSync(join(directory, "b.yml"), COMPONENT("b", "pubsub.radis"));
    writeFileSync(join(directory, "README.md"), "no resource");
    const error: unknown = await loadConfig(options({ file: "components" })).catch((caught: unknown) => caught);
    expect(error instanceof ConfigError && error.format()).toBe(`components/b.yml:5:9  spec.type
  found: the component type "pubsub.radis"
  expected: one of embedded, in-memory, kafka, redis, rocketmq, snssqs; did you mean "redis"?`);
    writeFileSync(join(directory, "b.yml"), COMPONENT("b", "pubsub.in-memory"));
    const { settings, source } = await loadConfig(options({ file: "components" }));
    expect([[...settings.pubsubs.keys()], source]).toEqual([["a", "b"], "components"]);
  });

  test("a secret without its store is an error that says so", async () => {
    const text = await mistakes(COMPONENT("p", "pubsub.redis", "{ name: redisHost, secretKeyRef: { name: a, key: b } }"));
    expect(text).toContain("found: the secret unknown-store:a/b: only env:, file: and json: are read");
  });
});

describe("where it comes from", () => {
  test("none: an error that names the four, the embedded broker on a terminal or when asked", async () => {
    await expect(loadConfig(options())).rejects.toThrow("-c FILE, RUNTIME_CONFIG, configs/config.json, layotto.yaml");
    for (const more of [{ isTerminal: true }, { embedded: true }]) {
      expect((await loadConfig(options(more))).settings.pubsubs.get("pubsub")?.type).toBe("embedded");
    }
  });

  test("flags stand above variables, and those above the file", async () => {
    const env = { LAYOTTO_GRPC_PORT: "1", LAYOTTO_HTTP_PORT: "2", LAYOTTO_DATA_DIR: "/d" };
    const { settings } = await load("listen: { grpc: 0.0.0.0:5 }", { env, overrides: { grpcPort: "0", appPort: "77" } });
    expect([settings.grpcAddresses, settings.httpAddress, settings.appAddress, settings.dataDir]).toEqual([
      ["0.0.0.0:0"],
      "127.0.0.1:2",
      "127.0.0.1:77",
      "/d",
    ]);
    expect(await mistakes("app: {}", { overrides: { grpcPort: "70000" } })).toBe(
      '--grpc-port\n  found: "70000"\n  expected: a port from 0 to 65535; 0 is any free one',
    );
  });

  test.each([
    [{ logLevel: "debug" }, { LOG_LEVEL: "error" }, "debug"],
    [{}, { LOG_LEVEL: "WARNING", LOGGING_LEVEL: "debug" }, "warn"],
    [{ loggingLevel: "critical" }, { LOGGING_LEVEL: "debug" }, "fatal"],
    [{}, { LOGGING_LEVEL: "off" }, "silent"],
    [{ loggingLevel: "loud" }, { LOGGING_LEVEL: "loud" }, "trace"],
    [{ logLevel: "" }, { LOG_LEVEL: "" }, "trace"],
  ])("the log's level from %o and %o is %s", async (overrides, env, level) => {
    expect((await load("log: { level: trace }", { env, overrides })).logLevel).toBe(level);
  });

  test("a level that nobody knows is an error on the command line, and a note of a variable that every program reads", async () => {
    const levels = "trace, debug, info, warn, error, fatal, silent";
    const text = await mistakes("app: {}", { overrides: { logLevel: "deubg" } });
    expect(text).toMatch(`--log-level\n  found: "deubg"\n  expected: one of ${levels}`);
    const { logLevel, notices } = await load(OWN, { env: { LOG_LEVEL: "deubg" } });
    expect([logLevel, notices]).toEqual(["info", [`LOG_LEVEL is "deubg", which is none of ${levels}, and is left aside.`]]);
  });

  test("what was left aside is told beside what is wrong: it may be why", async () => {
    const text = await mistakes(COMPONENT("p", "pubsub.redis", "{ name: redisHots, value: x }"));
    expect(text).toMatch(
      /redisHost\n {2}found: nothing[\s\S]*\n\nnote: The component p of type redis does not know .*redisHots; did you mean "redisHost"\?/,
    );
  });

  test("a configuration without a component is right, and of no use; what scopes leave out is named", async () => {
    const none = "There is no pub/sub component: nothing can be published, and nothing is read.";
    expect((await load("app: {}")).notices).toEqual([none]);
    const scoped = COMPONENT("orders", "pubsub.redis").concat("scopes: [other]\n");
    expect((await load(scoped, { overrides: { appId: "shop" } })).notices).toEqual([
      "By their scopes these resources are not for the app shop (--app-id): orders.",
      none,
    ]);
  });

  test("a file that cannot be read is one error", async () => {
    await expect(loadConfig(options({ file: "none.yaml" }))).rejects.toThrow("none.yaml\n  found: no such file");
    await expect(loadConfig(options({ file: "." }))).rejects.toThrow(".\n  found: a directory without a .yaml file");
  });
});

const OWN =
  'app: { id: a }\npubsubs:\n  p: { type: in-memory, metadata: { maxBytes: "${A:-1}" } }\nsubscriptions: [{ pubsub: p, topic: t }]\n';
const VALID = {
  "our own": OWN,
  "Layotto's": MOSN('{ "app": { "app_id": "a" }, "pub_subs": { "p": { "type": "in-memory", "metadata": {} } } }'),
  "Dapr's": `${COMPONENT("p", "pubsub.in-memory", "{ name: maxBytes, value: 1 }")}---\n${COMPONENT("q", "pubsub.in-memory")}`,
};
for (const [form, valid] of Object.entries(VALID)) {
  test(`whatever is done to a configuration of ${form} form, it is taken or refused with a ConfigError`, async () => {
    const mutation = fc.record({ at: fc.nat(valid.length), cut: fc.nat(12), put: fc.string({ unit: "grapheme", maxLength: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        const text = mutations.reduce((all, { at, cut, put }) => all.slice(0, at) + put + all.slice(at + cut), valid);
        const outcome = await load(text).catch((error: unknown) => error);
        expect(outcome instanceof Error && !(outcome instanceof ConfigError) ? outcome : undefined).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
}
