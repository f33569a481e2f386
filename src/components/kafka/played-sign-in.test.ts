import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import { makeCertificates, opensslAvailable } from "../../../test/transport/certificates.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { systemClock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { kafkaOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import { SignIn } from "./sign-in.ts";
import { Reader } from "./wire/reader.ts";
import { Writer } from "./wire/writer.ts";

const HANDSHAKE = 17;
const REFUSED = 58;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  cleanups.push(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

interface Said {
  readonly error?: number;
  readonly text?: string;
}

/** A connection to a broker that answers each step of a sign-in with what `answer` makes of it. */
async function connected(answer: (text: string) => Said): Promise<Connection> {
  const port = await listening(
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (frame: Buffer) => {
        const reader = new Reader(frame, 4);
        const key = reader.int16();
        reader.skip(2);
        const writer = new Writer();
        writer.skip(4);
        writer.int32(reader.int32());
        reader.string();
        if (key === HANDSHAKE) writer.int16(0).array([], () => undefined);
        else {
          const { error = 0, text = "" } = answer(reader.bytes().toString());
          writer.int16(error).nullableString(undefined).bytes(Buffer.from(text)).int64(0);
        }
        writer.int32At(0, writer.length - 4);
        socket.write(writer.written);
      });
    }),
  );
  const connection = await Connection.dial({
    host: "127.0.0.1",
    port,
    clientId: "c",
    tls: undefined,
    dialTimeoutMs: 5_000,
    clock: systemClock,
  });
  cleanups.push(() => connection.drop("the test is over"));
  return connection;
}

/** What a sign-in by these options comes to that must fail. */
async function failure(connection: Connection, metadata: Readonly<Record<string, unknown>>): Promise<PubSubError> {
  const signIn = new SignIn(kafkaOptions.parse({ brokers: "localhost", disableTls: true, ...metadata }), systemClock);
  const error = await signIn.on(connection).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PubSubError);
  return error as PubSubError;
}

test.each(["", "4095", "4096.5", "1000001", "1e12", "many"])("a broker that wants %o rounds of SCRAM is refused", async (rounds) => {
  const connection = await connected((text) => ({ text: `r=${/r=(.*)$/.exec(text)?.[1]}more,s=c2FsdA==,i=${rounds}` }));
  const scram = { authType: "password", saslUsername: "u", saslPassword: "p", saslMechanism: "SCRAM-SHA-256" };
  expect(await failure(connection, scram)).toMatchObject({ code: "unauthenticated", message: expect.stringContaining("not one of SCRAM") });
});

const oidcAt = (oidcTokenEndpoint: string) => ({ authType: "oidc", oidcTokenEndpoint, oidcClientID: "c", oidcClientSecret: "s" });
const endpoint = async (listener: RequestListener) => `http://127.0.0.1:${await listening(createHttpServer(listener))}/token`;

test.each(["null", "[]", '"hush"', "12", "hush", "", '{"access_token":5}', '{"access_token":""}', "{}"])(
  "an endpoint that answers %o gives no token",
  async (body) => {
    const url = await endpoint((_, response) => response.end(body));
    const error = await failure(await connected(() => ({})), oidcAt(url));
    expect(error).toMatchObject({ code: "unauthenticated", message: `${url} answered without access_token` });
  },
);

test("an endpoint that refuses is told from one that is away", async () => {
  const connection = await connected(() => ({}));
  const refusing = await endpoint((_, response) => response.writeHead(401).end());
  expect(await failure(connection, oidcAt(refusing))).toMatchObject({ code: "unauthenticated", message: expect.stringContaining("401") });
  const away = `http://127.0.0.1:${await freePort()}/token`;
  expect(await failure(connection, oidcAt(away))).toMatchObject({ code: "unavailable", message: expect.stringMatching(/ECONNREFUSED/) });
});

test("an endpoint is given neither all memory nor all time", async () => {
  const connection = await connected(() => ({}));
  const token = (length: number) => JSON.stringify({ access_token: "x".repeat(length) });
  const long = await endpoint((_, response) => response.end(token(65_536)));
  expect((await failure(connection, oidcAt(long))).message).toBe(`${long} gives no token: its answer has more than 65536 bytes`);
  const silent = await endpoint((_, response) => response.write("{"));
  const soon = { ...oidcAt(silent), readTimeout: "50.5ms" };
  expect((await failure(connection, soon)).message).toBe(`${silent} gives no token: no answer in 50.5 ms`);
});

/** Gives a new token each time. */
const tokens: RequestListener = (_, response) => {
  given += 1;
  response.end(JSON.stringify({ access_token: `token${given}`, expires_in: "600" }));
};
let given = 0;

test.each<[string, Said]>([
  ["by what it answers", { text: '{"status":"invalid_token"}' }],
  ["by an error", { error: REFUSED }],
])("a token that the broker refuses %s is not used again, and one that it takes is", async (_, refusal) => {
  given = 0;
  const shown: (string | undefined)[] = [];
  const connection = await connected((text) => {
    shown.push(/Bearer (\w+)/.exec(text)?.[1]);
    return shown.length === 1 ? refusal : {};
  });
  const signIn = new SignIn(kafkaOptions.parse({ brokers: "localhost", disableTls: true, ...oidcAt(await endpoint(tokens)) }), systemClock);
  await expect(signIn.on(connection)).rejects.toMatchObject({ code: "unauthenticated" });
  await signIn.on(connection);
  await signIn.on(connection);
  expect(shown).toEqual(["token1", "token2", "token2"]);
});

test("one token is asked for at a time, and one that still holds is used while the endpoint gives none", async () => {
  given = 0;
  let away = false;
  const url = await endpoint((request, response) => (away ? response.writeHead(503).end() : tokens(request, response)));
  const shown: (string | undefined)[] = [];
  const broker = (text: string): Said => {
    shown.push(/Bearer (\w+)/.exec(text)?.[1]);
    return {};
  };
  const connections = await Promise.all([1, 2, 3].map(() => connected(broker)));
  const clock = new SteppedClock();
  const options = kafkaOptions.parse({ brokers: "localhost", disableTls: true, ...oidcAt(url) });
  const signIn = new SignIn(options, clock);
  await Promise.all(connections.map((one) => signIn.on(one)));
  expect([given, shown]).toEqual([1, ["token1", "token1", "token1"]]);
  away = true;
  clock.advance(500_000);
  await signIn.on(connections[0] as (typeof connections)[number]);
  expect(shown.at(-1)).toBe("token1");
  clock.advance(100_000);
  await expect(signIn.on(connections[0] as (typeof connections)[number])).rejects.toMatchObject({ code: "unauthenticated" });
  away = false;
  await signIn.on(connections[0] as (typeof connections)[number]);
  expect(shown.at(-1)).toBe("token2");
});

test.skipIf(opensslAvailable())("an endpoint is trusted as the brokers are", async () => {
  const made = makeCertificates();
  cleanups.push(() => rmSync(made.directory, { recursive: true }));
  const [caCert, cert, key] = [made.ca, made.server.cert, made.server.key].map((file) => readFileSync(file, "utf8"));
  const port = await listening(createHttpsServer({ cert, key }, tokens));
  const oidc = oidcAt(`https://localhost:${port}/token`);
  const connection = await connected(() => ({}));
  expect(await failure(connection, oidc)).toMatchObject({ code: "unavailable", message: expect.stringMatching(/certificate/) });
  for (const trust of [{ caCert }, { skipVerify: true }]) {
    const options = kafkaOptions.parse({ brokers: "localhost", disableTls: true, ...oidc, ...trust });
    expect(await new SignIn(options, systemClock).on(connection)).toBe(0);
  }
});
