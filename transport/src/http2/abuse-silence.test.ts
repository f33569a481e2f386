import { afterEach, describe, expect, test } from "vitest";
import { type ServerOptions, streaming } from "../server.ts";
import { Status } from "../status.ts";
import { Abused } from "./abused-server.fixture.ts";
import { ErrorCode, Flag, Frame, PREFACE, Setting } from "./protocol.ts";
import { data, frame, headers, message, requestFields, settings, uint32, windowUpdate } from "./raw-peer.fixture.ts";

let abused: Abused;
afterEach(() => abused.stop());
const start = async (options?: Partial<ServerOptions>) => {
  abused = await Abused.start(options);
};

describe("a handshake that is not finished within handshakeMs ends with SETTINGS_TIMEOUT", () => {
  const beginnings: Readonly<Record<string, Uint8Array>> = {
    "nothing at all": Buffer.alloc(0),
    "half of the preface": PREFACE.subarray(0, 12),
    "the preface without SETTINGS": PREFACE,
    "half of SETTINGS": Buffer.concat([PREFACE, settings([Setting.ENABLE_PUSH, 0]).subarray(0, 11)]),
    "an acknowledgement in place of SETTINGS": Buffer.concat([PREFACE, frame(Frame.SETTINGS, Flag.ACK, 0)]),
  };
  test.for(Object.entries(beginnings))("%s", async ([, beginning]) => {
    await start({ limits: { handshakeMs: 100 } });
    const peer = await abused.stranger();
    if (beginning.length > 0) peer.send(beginning);
    expect((await peer.ousted()).code).toBe(ErrorCode.SETTINGS_TIMEOUT);
    await abused.othersAreServed();
  });
});

test("a peer that is silent is asked, and left when it does not answer", async () => {
  await start({ keepaliveMs: 100, keepaliveTimeoutMs: 100 });
  const peer = await abused.peer();
  await peer.came(Frame.PING);
  const told = await peer.ousted();
  expect(told).toMatchObject({ code: ErrorCode.NO_ERROR, reason: expect.stringContaining("PING") });
  await abused.othersAreServed();
});

describe("a peer that does not read its socket", () => {
  /** A server, and a promise of the moment at which it gives up the peer that has sent so many requests. */
  async function deaf(options: Partial<ServerOptions>, requests: number): Promise<void> {
    const gone = Promise.withResolvers<void>();
    const hanging = streaming((call) => {
      call.onCancel(gone.resolve);
      return { message: () => undefined, end: () => undefined };
    });
    await start({ ...options, handlers: { "/t.T/Watched": hanging } });
    const peer = await abused.peer();
    peer.send(peer.open(1, "/t.T/Watched"));
    await peer.roundTrip();
    peer.socket.pause();
    // Each is answered with a status that repeats its path: more than the buffers of any system take.
    const block = peer.encoder.encode(requestFields(`/${"~".repeat(12_000)}`).map(([name, value]) => [name, value, "plain"]));
    for (let index = 1; index <= requests; index++) peer.send(headers(2 * index + 1, block, true));
    await gone.promise;
    peer.socket.resume();
    await peer.closed();
    await abused.othersAreServed();
  }

  test("is left when more than maxUnreadBytes wait for it", () => deaf({ limits: { maxUnreadBytes: 100_000 } }, 3_000));
  test("is left when it reads nothing for stalledMs", () => deaf({ limits: { stalledMs: 200, maxUnreadBytes: 2 ** 30 } }, 3_000));
});

describe("a peer that opens no window", () => {
  test("loses the answer that waits for it for stalledMs, and nothing else", async () => {
    await start({ limits: { stalledMs: 200 } });
    const peer = await abused.peer([Setting.INITIAL_WINDOW_SIZE, 10]);
    peer.send(peer.call(1, "/t.T/Large", uint32(1_000)));
    const { reset, data } = await peer.ended(1);
    expect([reset, Buffer.concat(data).length]).toEqual([ErrorCode.ENHANCE_YOUR_CALM, 10]);
    peer.send(peer.call(3, "/t.T/Large", uint32(5)));
    expect((await peer.status(3)).code).toBe(Status.OK);
    await abused.othersAreServed();
  });

  test("keeps a stream that goes on, however long it waits", async () => {
    await start({ limits: { stalledMs: 100 } });
    const peer = await abused.peer([Setting.INITIAL_WINDOW_SIZE, 0]);
    peer.send(peer.open(1, "/t.T/Each"), data(1, message(Buffer.from("x"))));
    // Each of these waits for as long as is allowed.
    for (const id of [3, 5, 7]) {
      peer.send(peer.call(id, "/t.T/Large", uint32(1_000)));
      expect((await peer.ended(id)).reset).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    }
    peer.send(windowUpdate(1, 1_000), data(1, new Uint8Array(), true));
    expect((await peer.status(1)).code).toBe(Status.OK);
  });
});
