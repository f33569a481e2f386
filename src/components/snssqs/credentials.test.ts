import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { Aws } from "./client.ts";
import { snsSqsOptions } from "./config.ts";
import { inTime } from "./credentials.ts";

const ROLE = "arn:aws:iam::123456789012:role/r";
const LIMIT_MS = 60_000;
/** Three quarters of the limit of a call. */
const CREDENTIALS_MS = 45_000;

type Credentials = Awaited<ReturnType<ReturnType<typeof inTime>>>;
/** A request for credentials, which the test answers. */
type Asked = () => void;

let server: Server;
let endpoint: string;
let folder: string;
let asked: Asked[];
let waiting: ((asked: Asked) => void)[];
let clock: SteppedClock;
let aws: Aws | undefined;

beforeEach(async () => {
  asked = [];
  waiting = [];
  clock = new SteppedClock();
  folder = mkdtempSync(join(tmpdir(), "credentials-"));
  writeFileSync(join(folder, "token"), "token");
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // What this machine has is not to be found.
  for (const name of ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, undefined);
  for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(name, join(folder, "none"));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  aws?.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** SQS answers at once; what gives credentials when the test lets it. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const part of request) body += String(part);
  const type = /AssumeRole\w*/.exec(body)?.[0];
  if (type === undefined && request.url !== "/credentials") {
    response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
    return;
  }
  const one = () => response.end(type === undefined ? ofContainer() : ofSts(type));
  const next = waiting.shift();
  if (next) next(one);
  else asked.push(one);
}

const nextAsked = (): Promise<Asked> => {
  const one = asked.shift();
  return one ? Promise.resolve(one) : new Promise((resolve) => waiting.push(resolve));
};

const expiration = () => new Date(Date.now() + 3_600_000).toISOString();
const ofContainer = () => JSON.stringify({ AccessKeyId: "A", SecretAccessKey: "S", Token: "T", Expiration: expiration() });
const ofSts = (type: string) => {
  const key = `<AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>`;
  const credentials = `<Credentials>${key}<Expiration>${expiration()}</Expiration></Credentials>`;
  return `<${type}Response><${type}Result>${credentials}</${type}Result></${type}Response>`;
};

function open(more: Readonly<Record<string, unknown>> = {}): Aws {
  aws = new Aws(snsSqsOptions.parse({ region: "us-east-1", endpoint, requestTimeout: LIMIT_MS, ...more }), "test", clock);
  return aws;
}
const ask = (of: Aws) => of.call("ListQueues", (options) => of.sqs.listQueues({}, options));
const inContainer = () => vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `${endpoint}/credentials`);

const SOURCES: readonly [what: string, from: () => Aws][] = [
  ["a role", () => open({ accessKey: "a", secretKey: "s", assumeRoleArn: ROLE })],
  [
    "a web identity",
    () => {
      vi.stubEnv("AWS_ENDPOINT_URL_STS", endpoint);
      vi.stubEnv("AWS_ROLE_ARN", ROLE);
      vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", join(folder, "token"));
      return open();
    },
  ],
  ["a container", () => inContainer() && open()],
  ["a role, with the credentials of a container", () => inContainer() && open({ assumeRoleArn: ROLE })],
];
const LATE = { name: "PubSubError", code: "unavailable", outcome: "rejected", permanent: false };

test.each(SOURCES)("a request for credentials that is not answered fails what waits for it, and no more: %s", async (_, from) => {
  const warned = vi.spyOn(console, "warn");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const client = from();
  const first = expect(ask(client)).rejects.toMatchObject({ ...LATE, message: expect.stringContaining(`within ${CREDENTIALS_MS} ms`) });
  await nextAsked();
  // The SDK's own timers.
  vi.advanceTimersByTime(2_000);
  clock.advance(CREDENTIALS_MS);
  await first;
  const second = ask(client);
  void nextAsked().then(async (one) => {
    one();
    // A container's credentials may be what the role is assumed with.
    void nextAsked().then((other) => other());
  });
  expect(await second).toBeDefined();
  expect([clock.timers, warned.mock.calls]).toEqual([0, []]);
});

test("what gives credentials late is asked again from then on", async () => {
  const made: PromiseWithResolvers<Credentials>[] = [];
  const provider = inTime(
    async () => {
      const given = Promise.withResolvers<Credentials>();
      made.push(given);
      return () => given.promise;
    },
    CREDENTIALS_MS,
    clock,
  );
  for (let attempt = 1; attempt <= 2; attempt++) {
    const late = expect(provider()).rejects.toMatchObject(LATE);
    clock.advance(CREDENTIALS_MS);
    await late;
  }
  expect(made).toHaveLength(2);
  const credentials = { accessKeyId: "A", secretAccessKey: "S" };
  made[0]?.resolve(credentials);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await provider()).toBe(credentials);
  expect(made).toHaveLength(2);
});

test("an answer without credentials is an error of ours", async () => {
  vi.stubEnv("AWS_ENDPOINT_URL_STS", endpoint);
  const client = open({ accessKey: "a", secretKey: "s", assumeRoleArn: ROLE });
  server.removeAllListeners("request");
  server.on("request", (_, response) => response.end("<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>"));
  await expect(ask(client)).rejects.toMatchObject({ name: "PubSubError", code: "unauthenticated", outcome: "rejected" });
});
