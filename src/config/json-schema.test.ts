import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TextDocument as JsonDocument, getLanguageService as jsonService } from "vscode-json-languageservice";
import { getLanguageService as yamlService } from "yaml-language-server";
import { ConfigError } from "../errors/config-error.ts";
import { loadConfig } from "./load.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const URI = "file:///layotto.schema.json";
const text = read("schema/layotto.schema.json");

/** The service keeps what it said of a version. */
let version = 0;

/** What the editor of most people says of a file. */
async function editorSays(name: string, content: string): Promise<readonly string[]> {
  const yaml = name.endsWith(".yaml");
  const document = JsonDocument.create(`file:///${name}`, yaml ? "yaml" : "json", ++version, content);
  return (await (yaml ? inYaml(document) : inJson(document))).map(({ message }) => String(message));
}

function inJson(document: JsonDocument) {
  const service = jsonService({ schemaRequestService: () => Promise.resolve(text) });
  service.configure({ validate: true, schemas: [{ uri: URI, fileMatch: ["*"] }] });
  return service.doValidation(document, service.parseJSONDocument(document));
}

function inYaml(document: JsonDocument) {
  const service = yamlService({ schemaRequestService: () => Promise.resolve(text), workspaceContext: { resolveRelativePath: () => URI } });
  service.configure({ validate: true, schemas: [{ uri: URI, fileMatch: ["*.yaml"] }] });
  return service.doValidation(document, false);
}

/** Whether the sidecar takes it. */
async function taken(file: string): Promise<boolean> {
  try {
    await loadConfig({ file, env: { NAME: "a" }, cwd: "/", embedded: false, isTerminal: false, overrides: {} });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

test.each(["configs/redis.yaml", "configs/embedded.yaml", "configs/policies.yaml", "configs/minimal.json"])(
  "the sample %s names the schema, and an editor finds nothing wrong",
  async (sample) => {
    const content = read(sample);
    expect(content).toMatch(/^(# yaml-language-server: \$schema=|\{\n {2}"\$schema": ")\.\.\/schema\/layotto\.schema\.json/);
    expect(await editorSays(sample, content)).toEqual([]);
  },
);

const written: readonly [what: string, content: string, right: boolean][] = [
  [
    "every way to write a value",
    "publish: { timeout: 1m30s, buffer: 1 GiB, maxMessage: 1024 }\ndelivery: { maxInFlight: '8', processingTimeout: 100 }",
    true,
  ],
  ["variables", 'app: { id: "${NAME}" }\ndelivery: { maxInFlight: "${COUNT:-8}" }', true],
  ["a secret", 'pubsubs: { p: { type: redis, metadata: { redisHost: "a:1", redisPassword: { secret: env:NAME } } } }', true],
  ["one address, and several", 'listen: { grpc: ["127.0.0.1:0", "unix:///tmp/x.sock"], http: "127.0.0.1:0" }', true],
  [
    "where a group begins",
    "pubsubs: { p: { type: in-memory } }\nsubscriptions: [{ pubsub: p, topic: t, start: { time: 2026-11-23T10:00:00Z } }]",
    true,
  ],
  [
    "the policies of publishes",
    "publish: { retry: { first: 1s, factor: 1, maxFailures: 3, permanent: [INTERNAL] }, rate: 5 }\npubsubs: { p: { type: in-memory, publish: { timeout: 1s, breaker: { failures: 3 } } } }",
    true,
  ],
  ["a misspelt policy of one component", "pubsubs: { p: { type: in-memory, publish: { timout: 1s } } }", false],
  ["a policy with a code that no broker answers", "publish: { retry: { permanent: [DATA_LOSS] } }", false],
  ["a breaker that does not say when", "publish: { breaker: { pause: 1s } }", false],
  ["a misspelt key", "publish: { timout: 5s }", false],
  ["a misspelt key of a broker", "pubsubs: { p: { type: redis, metadata: { redisHots: a } } }", false],
  ["a key of another broker", "pubsubs: { p: { type: in-memory, metadata: { redisHost: a } } }", false],
  ["an unknown type", "pubsubs: { p: { type: rediss } }", false],
  ["no type", "pubsubs: { p: { metadata: {} } }", false],
  ["a wrong duration", "publish: { timeout: 5 seconds }", false],
  ["a wrong size", "publish: { buffer: lots }", false],
  ["a number out of bounds", "delivery: { maxInFlight: 0 }", false],
  ["a word that is none of the few", "health: { readiness: loose }", false],
  ["no topic", "pubsubs: { p: { type: in-memory } }\nsubscriptions: [{ pubsub: p }]", false],
  ["a list for a map", "pubsubs: []", false],
];

test.each(written)("an editor and the sidecar are of one mind: %s", async (_, content, right) => {
  const directory = mkdtempSync(join(tmpdir(), "schema-"));
  const file = join(directory, "layotto.yaml");
  writeFileSync(file, content);
  const said = await editorSays("layotto.yaml", content);
  const both = [said.length === 0, await taken(file)];
  rmSync(directory, { recursive: true });
  expect(both, said.join("; ")).toEqual([right, right]);
});
