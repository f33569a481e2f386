import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { connect } from "../client.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { Abused } from "./abused-server.fixture.ts";
import { conversation, HELLO } from "./conversation.fixture.ts";
import { Flag, Frame } from "./protocol.ts";
import { data, frame, headers, message, RawServer, settings } from "./raw-peer.fixture.ts";
import { WiredServer } from "./wire.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Mutation =
  | { readonly kind: "flip"; readonly at: number; readonly bits: number }
  | { readonly kind: "cut" | "again"; readonly at: number; readonly count: number }
  | { readonly kind: "put"; readonly at: number; readonly bytes: Uint8Array };

/** A place is a share of the whole: most of the conversation is one long message. */
const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const count = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2_000 }));
const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("flip" as const), at, bits: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constantFrom("cut" as const, "again" as const), at, count }),
    fc.record({ kind: fc.constant("put" as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
  ),
  { minLength: 1, maxLength: 6 },
);

function mutated(whole: Buffer, all: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(whole);
  for (const one of all) {
    const place = Math.floor(one.at * bytes.length);
    const head = bytes.subarray(0, place);
    if (one.kind === "flip") {
      if (bytes.length > 0) bytes[place] = (bytes[place] as number) ^ one.bits;
    } else if (one.kind === "put") bytes = Buffer.concat([head, one.bytes, bytes.subarray(place)]);
    else if (one.kind === "cut") bytes = Buffer.concat([head, bytes.subarray(place + one.count)]);
    else bytes = Buffer.concat([bytes.subarray(0, place + one.count), bytes.subarray(place)]);
  }
  return bytes;
}

/** Frames that are sound as such, of all types, on few streams. */
const frames = fc
  .array(
    fc.record({
      type: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 255 })),
      flags: fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x2d), fc.integer({ min: 0, max: 255 })),
      id: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
      payload: fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 300 })),
    }),
    { maxLength: 12 },
  )
  .map((all) => Buffer.concat(all.map(({ type, flags, id, payload }) => frame(type, flags, id, payload))));

/** The part of the conversation in which one byte matters most: without the long message. */
const whole = conversation();
const short = Buffer.concat([whole.subarray(0, 900), whole.subarray(-1_200)]);
const talks: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([HELLO, bytes])),
  frames.map((bytes) => Buffer.concat([HELLO, bytes])),
  fc.tuple(fc.constantFrom(whole, short), mutations).map(([of, all]) => mutated(of, all)),
  fc.tuple(frames, mutations).map(([more, all]) => Buffer.concat([mutated(whole, all), more])),
);

test("whatever a client sends, the server throws nothing and keeps nothing", async () => {
  await fc.assert(
    fc.asyncProperty(talks, fc.integer({ min: 1, max: 60_000 }), async (bytes, pieces) => {
      const server = new WiredServer();
      for (let from = 0; from < bytes.length; from += pieces) server.arrive(Buffer.from(bytes.subarray(from, from + pieces)));
      await server.settled();
      // It goes on, or it has said why it does not.
      expect(server.peer.goneAway.length).toBe(server.connection.reading ? 0 : 1);
      await server.hangUp();
    }),
    { numRuns: 3_000 },
  );
}, 20_000);

test("whatever a client sends over a socket, its connection ends, and others are served", async () => {
  const abused = await Abused.start();
  cleanups.push(() => abused.stop());
  await fc.assert(
    fc.asyncProperty(talks, async (bytes) => {
      const peer = await abused.stranger();
      peer.send(bytes);
      peer.socket.end();
      await peer.closed();
    }),
    { numRuns: 200 },
  );
  await abused.othersAreServed();
}, 20_000);

/** What a server answers to three unary calls and a stream. */
function answers(): Buffer {
  const encoder = new HpackEncoder();
  const answer = (id: number, text: string) =>
    Buffer.concat([
      headers(
        id,
        encoder.encode([
          [":status", "200", "index"],
          ["content-type", "application/grpc", "index"],
          ["x-text", text, "index"],
        ]),
      ),
      data(id, message(Buffer.from(text))),
      headers(id, encoder.encode([["grpc-status", id === 5 ? "5" : "0", "index"]]), true),
    ]);
  return Buffer.concat([
    settings([3, 100]),
    frame(Frame.SETTINGS, Flag.ACK, 0),
    ...[1, 3, 5, 7].map((id) => answer(id, `answer to ${id}`)),
  ]);
}

test("whatever a server sends, each call of our client ends exactly once", async () => {
  const sent = answers();
  const replies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    frames.map((bytes) => Buffer.concat([settings(), bytes])),
    mutations.map((all) => mutated(sent, all)),
    fc.constant(sent),
  );
  let reply = sent;
  const server = await RawServer.listen((peer) => {
    let hasSaidHello = false;
    peer.onFrame = (one) => {
      // The connection is ready with SETTINGS, and the calls begin then: each is there, or the hello was not taken for one.
      if (!hasSaidHello) {
        hasSaidHello = true;
        peer.send(reply.subarray(0, 15));
      }
      const isLast = one.type === Frame.DATA && one.id === 7;
      if (!isLast) return;
      peer.send(reply.subarray(15));
      peer.socket.end();
    };
    // A client that takes it for no HTTP/2 hangs up by itself; one that waits for more is not to wait for ever.
    peer.socket.setTimeout(50, () => peer.socket.end(reply.subarray(15)));
  });
  cleanups.push(() => server.close());
  await fc.assert(
    fc.asyncProperty(replies, async (bytes) => {
      reply = bytes;
      const client = connect(server.address, { connectTimeoutMs: 1_000 });
      const outcomes = [0, 0, 0, 0];
      const calls = outcomes.map(
        (_, index) =>
          new Promise<void>((resolve) => {
            const over = () => {
              outcomes[index] = (outcomes[index] as number) + 1;
              resolve();
            };
            if (index < 3) client.unary("/t.T/Echo", Buffer.from("?"), { response: over, failed: over });
            else {
              const stream = client.stream("/t.T/Each", { message: () => undefined, ended: over, failed: over });
              stream.send(Buffer.from("?"));
              stream.end();
            }
          }),
      );
      await Promise.all(calls);
      client.close();
      // What else the server sends has come by then.
      for (const peer of server.peers.splice(0)) {
        peer.destroy();
        await peer.closed();
      }
      expect(outcomes).toEqual([1, 1, 1, 1]);
    }),
    { numRuns: 200 },
  );
}, 20_000);
