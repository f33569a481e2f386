import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { Client, credentials } from "@grpc/grpc-js";
import { connect } from "layotto-transport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { provide } from "../../brokers/debian.ts";
import { large } from "../interop-client.ts";
import { type Ran, ran } from "../ran.ts";
import { type Served, serve } from "../served.ts";
import { decode, encode, SimpleRequest, SimpleResponse, zeros } from "../testing-messages.ts";
import { checks } from "./grpc-js.ts";

/** A cold cache and a slow registry. */
const INSTALL_MS = 300_000;
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let directory = "";
let served: Served;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cross-"));
  served = await serve();
});
afterAll(async () => {
  await served?.stop();
  rmSync(directory, { recursive: true });
});

/** Each client checks the same, and says so line by line. */
function isAllOk({ code, output }: Ran): void {
  expect(code, output).toBe(0);
  const names = output.match(/^ok \w+$/gm)?.map((line) => line.slice("ok ".length));
  expect(names).toEqual(Object.keys(checks));
}

async function install(command: string, ...args: readonly string[]): Promise<void> {
  const { code, output } = await ran(command, args, { cwd: directory, timeout: INSTALL_MS });
  expect(code, output).toBe(0);
}

describe("grpc-js, unmodified, and our server", () => {
  let client: Client;
  beforeAll(() => {
    client = new Client(`127.0.0.1:${served.port}`, credentials.createInsecure());
  });
  afterAll(() => client.close());

  test.for(Object.entries(checks))("%s", async ([, check]) => {
    await check(client);
  });
});

test("what our client compresses is gzip for others", async () => {
  let received: { readonly encoding: unknown; readonly body: Buffer } | undefined;
  const server = createServer();
  server.on("stream", async (stream, headers) => {
    received = { encoding: headers["grpc-encoding"], body: await buffer(stream) };
    const answer = encode(SimpleResponse, { payload: zeros(314_159) });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(answer.length, 1);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.concat([prefix, answer]));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  try {
    await large(client, { compression: "gzip" });
  } finally {
    client.close();
    server.close();
  }
  const { encoding, body } = received ?? {};
  expect(encoding).toBe("gzip");
  expect([body?.readUInt8(0), body?.readUInt32BE(1)], "flagged as compressed, and one message").toEqual([1, (body?.length ?? 0) - 5]);
  const { payload, responseSize } = decode(SimpleRequest, gunzipSync(body?.subarray(5) ?? ""));
  expect([payload?.body.length, responseSize]).toEqual([271_828, 314_159]);
});

const noPython = provide("python3", "python3") ?? provide("pip3", "python3-pip");

test("gRPC's Python client, unmodified, and our server", { timeout: 2 * INSTALL_MS }, async ({ skip }) => {
  skip(noPython !== undefined, noPython);
  const packages = join(directory, "python");
  const quietly = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile"];
  await install("python3", "-m", "pip", "install", ...quietly, "--only-binary", ":all:", "--target", packages, "grpcio==1.85.3");
  const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" };
  isAllOk(await ran("python3", [file("python/client.py"), `127.0.0.1:${served.port}`], { env }));
});

const noJava = provide("mvn", "maven") ?? provide("java", "default-jdk-headless");

test("gRPC's Java client, unmodified, and our server", { timeout: 2 * INSTALL_MS }, async ({ skip }) => {
  skip(noJava !== undefined, noJava);
  const libraries = join(directory, "java");
  await install("mvn", "-q", "-B", "-f", file("java/pom.xml"), "dependency:copy-dependencies", `-DoutputDirectory=${libraries}`);
  isAllOk(await ran("java", ["-cp", join(libraries, "*"), file("java/Client.java"), `127.0.0.1:${served.port}`]));
});
