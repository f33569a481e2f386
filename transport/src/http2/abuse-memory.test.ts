import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { HeaderField } from "../hpack/encoder.ts";
import { type ServerOptions, streaming } from "../server.ts";
import { Status } from "../status.ts";
import { Abused, pausing } from "./abused-server.fixture.ts";
import { ErrorCode, Frame } from "./protocol.ts";
import { data, headers, message, type RawPeer, requestFields, reset } from "./raw-peer.fixture.ts";

let abused: Abused;
afterEach(() => abused.stop());
const start = async (options?: Partial<ServerOptions>) => {
  abused = await Abused.start(options);
};

const MIB = 2 ** 20;
const GZIP: HeaderField = ["grpc-encoding", "gzip", "plain"];
const odd = (index: number) => 2 * index + 1;
const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => odd(index));

/** A message as large as fits into what a connection may hold goes through: nothing is counted that is not there. */
async function allIsGivenBack(peer: RawPeer, id: number, bytes: number): Promise<void> {
  const whole = message(new Uint8Array(bytes));
  peer.send(peer.open(id, "/t.T/Count"));
  for (let at = 0; at < whole.length; at += 10_000) peer.send(data(id, whole.subarray(at, at + 10_000), at + 10_000 >= whole.length));
  expect(await peer.status(id)).toEqual({ code: Status.OK, details: "" });
  expect(Buffer.concat(peer.streams.get(id)?.data ?? []).toString()).toContain(`1 messages, ${bytes} bytes`);
}

test("header blocks that name one large field again and again end the connection with COMPRESSION_ERROR", async () => {
  await start();
  const peer = await abused.peer();
  const first = peer.encoder.encode(requestFields("/t.T/Echo", ["bomb", "x".repeat(3_700), "index"]));
  // 62: the newest entry of the dynamic table.
  peer.send(headers(1, Buffer.concat([first, Buffer.alloc(10_000, 0x80 | 62)]), true));
  expect((await peer.ousted()).code).toBe(ErrorCode.COMPRESSION_ERROR);
  await abused.othersAreServed();
});

test("a stream too many is refused with REFUSED_STREAM, until there is room again", async () => {
  await start({ limits: { maxConcurrentStreams: 10 } });
  const peer = await abused.peer();
  peer.send(...idsUpTo(11).map((id) => peer.call(id, "/t.T/Hang")));
  expect((await peer.ended(21)).reset).toBe(ErrorCode.REFUSED_STREAM);
  peer.send(reset(1, ErrorCode.CANCEL), peer.call(23, "/t.T/Echo"));
  expect((await peer.status(23)).code).toBe(Status.OK);
  await abused.othersAreServed();
});

describe("a message above the limit is answered with RESOURCE_EXHAUSTED that names it", () => {
  const TOO_LARGE = /\b1000\b/;

  test.for(["/t.T/Echo", "/t.T/Each"])("when it only says that it is large: %s", async (path) => {
    await start({ maxMessageBytes: 1_000 });
    const peer = await abused.peer();
    peer.send(peer.open(1, path), data(1, message(Buffer.alloc(0), { length: 0xffff_ffff })));
    expect(await peer.status(1)).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: expect.stringMatching(TOO_LARGE) });
    peer.send(peer.call(3, "/t.T/Echo"));
    expect((await peer.status(3)).code).toBe(Status.OK);
    await abused.othersAreServed();
  });

  test.for(["/t.T/Echo", "/t.T/Each"])("when it is: %s", async (path) => {
    await start({ maxMessageBytes: 1_000 });
    const peer = await abused.peer();
    peer.send(peer.call(1, path, new Uint8Array(1_001)), peer.call(3, path, new Uint8Array(1_000)));
    expect(await peer.status(1)).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: expect.stringMatching(TOO_LARGE) });
    expect((await peer.status(3)).code).toBe(Status.OK);
    await abused.othersAreServed();
  });

  test.for(["/t.T/Echo", "/t.T/Each"])("when gzip made it small: %s", async (path) => {
    await start({ maxMessageBytes: 1_000 });
    const peer = await abused.peer();
    const bomb = (bytes: number) => message(gzipSync(new Uint8Array(bytes)), { flag: 1 });
    peer.send(peer.open(1, path, false, GZIP), data(1, bomb(900_000), true), peer.open(3, path, false, GZIP), data(3, bomb(1_000), true));
    expect(await peer.status(1)).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: expect.stringMatching(TOO_LARGE) });
    expect((await peer.status(3)).code).toBe(Status.OK);
    await abused.othersAreServed();
  });
});

describe("a connection holds no more than maxHeldBytes", () => {
  const limits = { maxHeldBytes: MIB };
  const refused = (peer: RawPeer, ids: readonly number[]) =>
    ids.filter((id) => Number(peer.streams.get(id)?.sections.at(-1)?.["grpc-status"]) === Status.RESOURCE_EXHAUSTED);

  /** Sends the same on 1,000 streams, and returns how many of them were kept. */
  async function kept(peer: RawPeer, path: string, bytes: Uint8Array, ...more: readonly HeaderField[]): Promise<number> {
    const ids = idsUpTo(1_000);
    for (const id of ids) peer.send(peer.open(id, path, false, ...more), data(id, bytes));
    await peer.roundTrip();
    const gone = new Set(refused(peer, ids));
    peer.send(...ids.filter((id) => !gone.has(id)).map((id) => reset(id, ErrorCode.CANCEL)));
    await peer.roundTrip(Buffer.from("and back"));
    return ids.length - gone.size;
  }

  test("of unfinished messages", async () => {
    await start({ limits });
    const peer = await abused.peer();
    const count = await kept(peer, "/t.T/Echo", message(new Uint8Array(10_000), { length: 100_000 }));
    expect(count).toBe(Math.floor(MIB / 10_000));
    await allIsGivenBack(peer, 2_001, MIB - 10_000);
    await abused.othersAreServed();
  });

  test("of messages that have only begun", async () => {
    await start({ limits });
    const peer = await abused.peer();
    // Each gets room for more than it has.
    expect(await kept(peer, "/t.T/Each", message(new Uint8Array(1), { length: 100_000 }))).toBe(MIB / 4_096);
    await allIsGivenBack(peer, 2_001, MIB - 10_000);
    await abused.othersAreServed();
  });

  test("of messages that wait for the end of their request", async () => {
    await start({ limits });
    const peer = await abused.peer();
    expect(await kept(peer, "/t.T/Echo", message(new Uint8Array(10_000)))).toBe(Math.floor(MIB / 10_000));
    await allIsGivenBack(peer, 2_001, MIB - 10_000);
    await abused.othersAreServed();
  });

  test("of such messages as gzip makes of a few bytes", async () => {
    await start({ limits });
    const peer = await abused.peer();
    const bomb = message(gzipSync(new Uint8Array(100_000)), { flag: 1 });
    expect(await kept(peer, "/t.T/Echo", bomb, GZIP)).toBe(Math.floor(MIB / 100_000));
    await allIsGivenBack(peer, 2_001, MIB - 10_000);
    await abused.othersAreServed();
  });

  test("of what a paused call does not take", async () => {
    const { calls, messages, handlers } = pausing();
    await start({ limits, handlers });
    const peer = await abused.peer();
    const ids = idsUpTo(100);
    for (const id of ids)
      peer.send(peer.open(id, "/t.T/Paused"), data(id, message(new Uint8Array(16_000))), data(id, message(Buffer.of(id))));
    await peer.roundTrip();
    const ended = ids.filter((id) => peer.streams.get(id)?.reset === ErrorCode.ENHANCE_YOUR_CALM);
    expect(ended.length).toBeGreaterThan(30);
    expect(ended.length).toBeLessThan(40);
    for (const call of calls) call.resume();
    expect(messages.filter(({ length }) => length === 16_000)).toHaveLength(100 - ended.length);
    peer.send(...ids.filter((id) => !ended.includes(id)).map((id) => data(id, new Uint8Array(), true)));
    for (const id of ids) if (!ended.includes(id)) expect((await peer.status(id)).code).toBe(Status.OK);
    await allIsGivenBack(peer, 201, MIB - 10_000);
    await abused.othersAreServed();
  });

  test("of what came one byte at a time", async () => {
    const { calls, messages, handlers } = pausing();
    await start({ limits, handlers });
    const peer = await abused.peer();
    // As bytes they are few, as objects they are not.
    const each = Array.from(message(new Uint8Array(10_000)), (byte) => data(1, Buffer.of(byte)));
    peer.send(peer.open(1, "/t.T/Paused"), ...each);
    expect((await peer.ended(1)).reset).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    peer.send(peer.open(3, "/t.T/Paused"), ...Array.from(message(new Uint8Array(3_000)), (byte) => data(3, Buffer.of(byte))));
    await peer.roundTrip();
    calls[1]?.resume();
    expect(messages.map(({ length }) => length)).toEqual([3_000]);
    await abused.othersAreServed();
  });

  test("and counts nothing of what follows the end of a call", async () => {
    const ending = streaming((call) => ({ message: () => call.fail(Status.ABORTED, "enough"), end: () => undefined }));
    await start({ limits, handlers: { "/t.T/Ending": ending } });
    const peer = await abused.peer();
    for (const [index, id] of idsUpTo(600).entries()) {
      // One message, or for a unary method two, and the beginning of one more, in one frame.
      const path = index % 2 === 0 ? "/t.T/Ending" : "/t.T/Echo";
      const whole = message(Buffer.from("a"));
      peer.send(peer.open(id, path), data(id, Buffer.concat([whole, whole, message(new Uint8Array(5_000), { length: 6_000 })])));
      await peer.ended(id);
    }
    await allIsGivenBack(peer, 2_001, MIB - 10_000);
    await abused.othersAreServed();
  });
});

test("of small messages that the peer opens no window for counts what they take, not only what they bring", async () => {
  const many = streaming((call) => ({ message: (bytes) => void call.send(bytes), end: () => undefined }));
  await start({ limits: { maxQueuedBytes: MIB }, handlers: { "/t.T/Many": many } });
  const peer = await abused.peer([4, 0]);
  const tiny = message(Buffer.from("a"));
  const frame = data(1, Buffer.concat(Array.from({ length: 2_000 }, () => tiny)));
  peer.send(peer.open(1, "/t.T/Many"), frame, frame, frame, frame, frame);
  expect((await peer.ended(1)).reset).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  await abused.othersAreServed();
});

test("answers that the peer opens no window for are bounded by maxQueuedBytes", async () => {
  await start({ limits: { maxQueuedBytes: MIB } });
  const peer = await abused.peer([4, 0]);
  const large = Buffer.alloc(4);
  large.writeUInt32BE(300_000);
  peer.send(...idsUpTo(10).map((id) => peer.call(id, "/t.T/Large", large)));
  await peer.roundTrip();
  const ended = idsUpTo(10).filter((id) => peer.streams.get(id)?.reset === ErrorCode.ENHANCE_YOUR_CALM);
  expect(ended).toEqual(idsUpTo(10).slice(3));
  // RST_STREAM is the last that is sent of them.
  for (const id of ended) expect(peer.frames.filter((one) => one.id === id).at(-1)?.type).toBe(Frame.RST_STREAM);
  await abused.othersAreServed();
});
