import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type Client, type ClientOptions, connect } from "../client.ts";
import type { HeaderField } from "../hpack/encoder.ts";
import { type RpcError, Status } from "../status.ts";
import { unary } from "./abused-server.fixture.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { ErrorCode, Flag, Frame } from "./protocol.ts";
import { data, frame, headers, message, ping, type RawPeer, RawServer, settings } from "./raw-peer.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A client, and the end of its connection that the test writes. */
async function connected(options: ClientOptions = {}): Promise<{ readonly client: Client; readonly peer: RawPeer }> {
  const met = Promise.withResolvers<RawPeer>();
  const server = await RawServer.listen((peer) => {
    peer.send(settings());
    met.resolve(peer);
  });
  const client = connect(server.address, options);
  cleanups.push(
    () => server.close(),
    () => client.close(),
  );
  client.wake();
  return { client, peer: await met.promise };
}

const HEAD: readonly HeaderField[] = [
  [":status", "200", "index"],
  ["content-type", "application/grpc", "index"],
];
const head = (peer: RawPeer, id: number, ...more: readonly HeaderField[]) => headers(id, peer.encoder.encode([...HEAD, ...more]));
const trailers = (peer: RawPeer, id: number) => headers(id, peer.encoder.encode([["grpc-status", "0", "index"]]), true);
const answer = (peer: RawPeer, id: number) => Buffer.concat([head(peer, id), data(id, message(Buffer.from("answer"))), trailers(peer, id)]);
const begins = (peer: RawPeer, id: number) => peer.came(Frame.DATA, (one) => one.id === id && (one.flags & Flag.END_STREAM) !== 0);
const failure = (call: Promise<unknown>): Promise<RpcError> =>
  call.then(
    () => expect.unreachable("the call succeeded"),
    (error: unknown) => error as RpcError,
  );

test.for([3_000, 10_000])("answers to %i calls that were cancelled together do no harm to the next", async (count) => {
  const { client, peer } = await connected();
  const calls = Array.from({ length: count }, () =>
    client.unary("/t.T/Echo", Buffer.from("?"), { response: () => undefined, failed: () => undefined }),
  );
  const ids = calls.map((_, index) => 2 * index + 1);
  const last = 2 * count - 1;
  await begins(peer, last);
  for (const call of calls) call.cancel();
  await peer.came(Frame.RST_STREAM, ({ id }) => id === last);
  peer.send(...ids.map((id) => answer(peer, id)));
  const next = unary(client, "/t.T/Echo");
  await begins(peer, last + 2);
  peer.send(answer(peer, last + 2));
  expect(String(await next)).toBe("answer");
  expect(peer.goneAway).toEqual([]);
});

describe("a server that floods our client loses the connection, and the call fails", () => {
  const count = DEFAULT_LIMITS.idleFrames.burst + 2 * DEFAULT_LIMITS.idleFrames.perSecond;
  const floods: Readonly<Record<string, () => Uint8Array>> = {
    PING: () => ping(),
    SETTINGS: () => settings(),
    "empty DATA": () => data(1),
  };
  test.for(Object.entries(floods))("%s", async ([, flood]) => {
    const { client, peer } = await connected();
    const call = failure(unary(client, "/t.T/Echo"));
    await begins(peer, 1);
    peer.send(head(peer, 1), ...Array.from({ length: count }, flood));
    expect((await call).code).toBe(Status.UNAVAILABLE);
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  test("PUSH_PROMISE is not allowed at all", async () => {
    const { client, peer } = await connected();
    const call = failure(unary(client, "/t.T/Echo"));
    await begins(peer, 1);
    peer.send(frame(Frame.PUSH_PROMISE, Flag.END_HEADERS, 1, Buffer.from([0, 0, 0, 2, 0x88])));
    expect((await call).code).toBe(Status.UNAVAILABLE);
    expect((await peer.ousted()).code).toBe(ErrorCode.PROTOCOL_ERROR);
  });
});

describe("interim answers", () => {
  const { maxInterimResponses } = DEFAULT_LIMITS;
  const interims = (peer: RawPeer, id: number, count: number) =>
    Array.from({ length: count }, () => headers(id, peer.encoder.encode([[":status", "103", "index"]])));

  /** The call fails, its stream is reset, and another on the same connection gets its answer. */
  async function endsTheCallAlone(peer: RawPeer, client: Client, call: Promise<RpcError>, flood: readonly Uint8Array[]): Promise<void> {
    const other = unary(client, "/t.T/Echo");
    await begins(peer, 3);
    peer.send(...flood);
    expect(await call).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: expect.stringContaining(String(maxInterimResponses)) });
    const reset = await peer.came(Frame.RST_STREAM, ({ id }) => id === 1);
    expect(reset.payload.readUInt32BE()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    peer.send(answer(peer, 3));
    expect(String(await other)).toBe("answer");
    expect(peer.goneAway).toEqual([]);
  }

  test("as many as are allowed are passed over", async () => {
    const { client, peer } = await connected();
    const calls = [1, 3].map(() => unary(client, "/t.T/Echo"));
    await begins(peer, 3);
    // Each call may have so many.
    for (const id of [1, 3]) peer.send(...interims(peer, id, maxInterimResponses), answer(peer, id));
    expect((await Promise.all(calls)).map(String)).toEqual(["answer", "answer"]);
  });

  test("one more fails the call, and no other", async () => {
    const { client, peer } = await connected();
    const call = failure(unary(client, "/t.T/Echo"));
    await endsTheCallAlone(peer, client, call, interims(peer, 1, maxInterimResponses + 1));
  });

  // Nobody takes them: they must not pile up.
  test.for(["103", "200"])("nor does a call that is paused keep more header sections than that, of status %s", async (status) => {
    const { client, peer } = await connected();
    const failed = Promise.withResolvers<RpcError>();
    const nothing = () => undefined;
    const stream = client.stream("/t.T/Each", { message: nothing, ended: nothing, failed: failed.resolve });
    stream.pause();
    stream.end();
    await begins(peer, 1);
    const section = () => headers(1, peer.encoder.encode([[":status", status, "index"]]));
    await endsTheCallAlone(peer, client, failed.promise, Array.from({ length: 10_000 }, section));
  });
});

describe("an answer that is too much fails its call, and no other", () => {
  const bomb = message(gzipSync(new Uint8Array(100_000)), { flag: 1 });
  const gzip: HeaderField = ["grpc-encoding", "gzip", "plain"];
  const answers: Readonly<Record<string, (peer: RawPeer) => Uint8Array>> = {
    "a message that is said to be too large": (peer) => Buffer.concat([head(peer, 1), data(1, message(Buffer.of(1), { length: 50_001 }))]),
    "a gzip bomb": (peer) => Buffer.concat([head(peer, 1, gzip), data(1, bomb)]),
  };
  test.for(Object.entries(answers))("%s", async ([, tooMuch]) => {
    const { client, peer } = await connected({ maxMessageBytes: 50_000 });
    const call = failure(unary(client, "/t.T/Echo"));
    await begins(peer, 1);
    peer.send(tooMuch(peer));
    expect(await call).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: expect.stringContaining("50000") });
    await peer.came(Frame.RST_STREAM, ({ id }) => id === 1);
    const next = unary(client, "/t.T/Echo");
    await begins(peer, 3);
    peer.send(answer(peer, 3));
    expect(String(await next)).toBe("answer");
  });

  test("messages that wait for their status are no more than maxHeldBytes", async () => {
    const { client, peer } = await connected({ limits: { maxHeldBytes: 250_000 } });
    const ids = [1, 3, 5, 7];
    const calls = ids.map(() =>
      unary(client, "/t.T/Echo").then(
        ({ length }) => length,
        ({ code }: RpcError) => `code ${code}`,
      ),
    );
    await begins(peer, 7);
    for (const id of ids) peer.send(head(peer, id, gzip), data(id, bomb));
    await peer.came(Frame.RST_STREAM, ({ id }) => id === 7);
    peer.send(...ids.slice(0, 2).map((id) => trailers(peer, id)));
    expect(await Promise.all(calls)).toEqual([100_000, 100_000, "code 8", "code 8"]);
  });
});
