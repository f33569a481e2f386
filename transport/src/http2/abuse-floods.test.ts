import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Status } from "../status.ts";
import { Abused } from "./abused-server.fixture.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { ErrorCode, Frame, Setting } from "./protocol.ts";
import { data, frame, goAway, headers, message, ping, priority, reset, settings, uint32, windowUpdate } from "./raw-peer.fixture.ts";

let abused: Abused;
beforeEach(async () => {
  abused = await Abused.start();
});
afterEach(() => abused.stop());

/** One more than is allowed at once, and than comes to be allowed while they are read. */
const IDLE = DEFAULT_LIMITS.idleFrames.burst + 2 * DEFAULT_LIMITS.idleFrames.perSecond;
const RESETS = DEFAULT_LIMITS.resets.burst + 2 * DEFAULT_LIMITS.resets.perSecond;

const times = (count: number, one: (index: number) => Uint8Array) => Array.from({ length: count }, (_, index) => one(index));
const odd = (index: number) => 2 * index + 1;

describe("a flood ends its connection with ENHANCE_YOUR_CALM", () => {
  const floods: Readonly<Record<string, (index: number) => Uint8Array>> = {
    SETTINGS: () => settings([Setting.INITIAL_WINDOW_SIZE, 65_535]),
    "empty SETTINGS": () => settings(),
    "acknowledgements of SETTINGS": () => frame(Frame.SETTINGS, 1, 0),
    PING: () => ping(),
    PRIORITY: (index) => priority(odd(index)),
    GOAWAY: () => goAway(0, ErrorCode.NO_ERROR),
    "frames of an unknown type": () => frame(0xfa, 0, 0, Buffer.from("?")),
  };
  test.for(Object.entries(floods))("%s", async ([, flood]) => {
    const peer = await abused.peer();
    peer.send(...times(IDLE, flood));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("empty DATA", async () => {
    const peer = await abused.peer();
    peer.send(peer.open(1, "/t.T/Each"), ...times(IDLE, () => data(1)));
    expect(await peer.ousted()).toMatchObject({ code: ErrorCode.ENHANCE_YOUR_CALM, reason: expect.stringContaining("DATA") });
    await abused.othersAreServed();
  });

  test("DATA with nothing but padding", async () => {
    const peer = await abused.peer();
    const padding = frame(Frame.DATA, 0x8, 1, Buffer.from([3, 0, 0, 0]));
    peer.send(peer.open(1, "/t.T/Each"), ...times(IDLE, () => padding));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("DATA on a stream that is long over", async () => {
    const peer = await abused.peer();
    peer.send(peer.call(1, "/t.T/Echo"));
    await peer.ended(1);
    peer.send(...times(IDLE, () => data(1, Buffer.alloc(8))));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("RST_STREAM on a stream that is long over", async () => {
    const peer = await abused.peer();
    peer.send(peer.call(1, "/t.T/Echo"));
    await peer.ended(1);
    peer.send(...times(IDLE, () => reset(1, ErrorCode.CANCEL)));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("requests that are malformed", async () => {
    const peer = await abused.peer();
    const block = () => peer.encoder.encode([[":method", "GET", "index"]]);
    peer.send(...times(IDLE, (index) => headers(odd(index), block(), true)));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("streams beyond the allowed number, of which each is refused", async () => {
    const peer = await abused.peer();
    peer.send(...times(DEFAULT_LIMITS.maxConcurrentStreams + IDLE, (index) => peer.open(odd(index), "/t.T/Hang")));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });
});

describe("rapid reset ends its connection with ENHANCE_YOUR_CALM", () => {
  // "MadeYouReset": the client has the server reset what it has begun to work on.
  const provocations: Readonly<Record<string, (id: number) => Uint8Array>> = {
    "a WINDOW_UPDATE of 0": (id) => windowUpdate(id, 0),
    "a window above 2^31-1": (id) => windowUpdate(id, 2 ** 31 - 1),
    "DATA after the end": (id) => data(id, Buffer.from("more")),
    "HEADERS after the end": (id) => headers(id, Buffer.of(0x82)),
  };
  test.for(Object.entries(provocations))("resets that are provoked by %s", async ([, provoke]) => {
    const peer = await abused.peer();
    peer.send(...times(RESETS, (index) => Buffer.concat([peer.call(odd(index), "/t.T/Hang"), provoke(odd(index))])));
    expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    await abused.othersAreServed();
  });

  test("as many calls that are let finish are no abuse", async () => {
    const peer = await abused.peer();
    peer.send(...times(500, (index) => peer.call(odd(index), "/t.T/Echo")));
    for (let index = 500; index < RESETS + 500; index++) {
      await peer.ended(odd(index - 500));
      peer.send(peer.call(odd(index), "/t.T/Echo"));
    }
    expect((await peer.status(odd(RESETS + 499))).code).toBe(Status.OK);
  });
});

describe("what may look like a flood and is none", () => {
  test("a PING after each call, as grpc-go measures its way", async () => {
    const peer = await abused.peer();
    for (let index = 0; index < IDLE; index++) {
      peer.send(peer.call(odd(index), "/t.T/Echo"), ping(Buffer.concat([uint32(index), uint32(0)])));
      if (index % 100 === 99) await peer.ended(odd(index));
    }
    expect((await peer.status(odd(IDLE - 1))).code).toBe(Status.OK);
    expect(peer.goneAway).toEqual([]);
  });

  test("a PING after each DATA of long answers", async () => {
    const frames = 15;
    const peer = await abused.peer([Setting.INITIAL_WINDOW_SIZE, 1_024]);
    for (let index = 0; index * frames < IDLE; index++) {
      peer.send(peer.call(odd(index), "/t.T/Echo", new Uint8Array(frames * 1_024)));
      for (let at = 0; at < frames + 1; at++) {
        peer.send(windowUpdate(odd(index), 1_024), windowUpdate(0, 1_024));
        await peer.roundTrip(Buffer.concat([uint32(index), uint32(at)]));
      }
      expect((await peer.status(odd(index))).code).toBe(Status.OK);
    }
    expect(peer.goneAway).toEqual([]);
  });

  test("WINDOW_UPDATE as often as one likes", async () => {
    const peer = await abused.peer();
    peer.send(peer.open(1, "/t.T/Each"));
    for (let burst = 0; burst < 20; burst++) {
      peer.send(...times(IDLE, (index) => windowUpdate(index % 2, 1)));
      await peer.roundTrip(Buffer.concat([uint32(burst), uint32(0)]));
    }
    peer.send(data(1, message(Buffer.from("x")), true));
    expect((await peer.status(1)).code).toBe(Status.OK);
  });

  test("RST_STREAM for calls that were answered at the same moment", async () => {
    const peer = await abused.peer();
    const most = DEFAULT_LIMITS.maxConcurrentStreams;
    for (let round = 0; round < 3; round++) {
      const ids = Array.from({ length: most }, (_, index) => odd(most * round + index));
      peer.send(...ids.map((id) => peer.call(id, "/t.T/Echo")));
      for (const id of ids) await peer.ended(id);
      peer.send(...ids.map((id) => reset(id, ErrorCode.CANCEL)));
    }
    await peer.roundTrip();
    expect(peer.goneAway).toEqual([]);
  });
});

test("streams take turns, however small the windows that come", async () => {
  const peer = await abused.peer([Setting.INITIAL_WINDOW_SIZE, 2 ** 20]);
  const ids = [1, 3, 5, 7];
  const size = 100_000;
  peer.send(...ids.map((id) => peer.call(id, "/t.T/Large", uint32(size))));
  const received = (id: number) => peer.streams.get(id)?.data.reduce((sum, part) => sum + part.length, 0) ?? 0;
  const total = () => ids.reduce((sum, id) => sum + received(id), 0);
  await peer.until("the first window to be used", () => total() === 65_535 || undefined);
  // The first stream has had it all, or nearly; now all get their share.
  const before = ids.map(received);
  for (let turn = 1; turn <= 40; turn++) {
    peer.send(windowUpdate(0, 100));
    await peer.until("a little more", () => total() === 65_535 + 100 * turn || undefined);
  }
  expect(ids.map((id, index) => received(id) - (before[index] as number))).toEqual([1_000, 1_000, 1_000, 1_000]);
});
