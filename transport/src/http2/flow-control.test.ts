import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "./limits.ts";
import { DEFAULT_FRAME_BYTES, DEFAULT_WINDOW, ErrorCode, Flag, Frame, MAX_WINDOW, PREFACE, Setting } from "./protocol.ts";
import { data, message, padded, settings, uint32, windowUpdate } from "./raw-peer.fixture.ts";
import { WiredServer } from "./wire.fixture.ts";

const CALLS = 4;
const PREFIX = 5;
const idOf = (call: number) => 2 * call + 1;

/** What the peer allows, kept by the peer. */
class Windows {
  /** What came beyond that. */
  readonly faults: string[] = [];
  readonly #server: WiredServer;
  #connection = DEFAULT_WINDOW;
  #initial: number;
  readonly #streams = new Map<number, number>();
  /** SETTINGS that the server has not acknowledged: what it sent before that goes by the old ones. */
  readonly #pending: number[];

  constructor(server: WiredServer, initial: number) {
    this.#server = server;
    this.#initial = initial;
    this.#pending = [initial];
    server.peer.onFrame = ({ type, flags, id, payload }) => {
      if (type === Frame.SETTINGS && flags === Flag.ACK) this.#begin(this.#pending.shift() as number);
      if (type !== Frame.DATA) return;
      this.widen(0, -payload.length);
      this.widen(id, -payload.length);
      if (payload.length > DEFAULT_FRAME_BYTES) this.faults.push(`a frame of ${payload.length} bytes`);
      if (payload.length > 0 && Math.min(this.#connection, this.of(id)) < 0) this.faults.push(`stream ${id} sends more than it may`);
    };
  }

  of(id: number): number {
    return id === 0 ? this.#connection : (this.#streams.get(id) ?? this.#initial);
  }

  widen(id: number, bytes: number): void {
    if (id === 0) this.#connection += bytes;
    else this.#streams.set(id, this.of(id) + bytes);
  }

  /** Says so to the server as well. */
  update(id: number, bytes: number): void {
    this.widen(id, bytes);
    this.#server.arrive(windowUpdate(id, bytes));
  }

  change(initial: number): void {
    this.#pending.push(initial);
    this.#server.arrive(settings([Setting.INITIAL_WINDOW_SIZE, initial], [Setting.MAX_FRAME_SIZE, 2 ** 20]));
  }

  #begin(initial: number): void {
    for (const id of this.#streams.keys()) this.widen(id, initial - this.#initial);
    this.#initial = initial;
  }

  /** Whether anything more may be sent on the stream. */
  isShut(id: number): boolean {
    return this.#connection <= 0 || this.of(id) <= 0;
  }
}

const bytes = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50_000 }));
const step = fc.oneof(
  fc.record({ update: fc.integer({ min: 0, max: CALLS }), bytes }),
  fc.record({ initial: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100_000 })) }),
  fc.constant("turn" as const),
);

test("never is more sent than the peer's windows allow, nor less, and all of it in the end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 100_000 }),
      fc.array(fc.integer({ min: 0, max: 90_000 }), { minLength: CALLS, maxLength: CALLS }),
      fc.array(step, { maxLength: 40 }),
      async (initial, sizes, steps) => {
        const server = new WiredServer();
        const { peer } = server;
        server.arrive(Buffer.concat([PREFACE, settings([Setting.INITIAL_WINDOW_SIZE, initial])]));
        const windows = new Windows(server, initial);
        // Every second call takes its answer from a stream that sends what it gets.
        for (const [call, size] of sizes.entries()) {
          const id = idOf(call);
          if (call % 2 === 0) server.arrive(peer.call(id, "/t.T/Large", uint32(size)));
          else {
            const whole = message(new Uint8Array(size));
            server.arrive(peer.open(id, "/t.T/Each"));
            for (let at = 0; at < whole.length; at += 16_000) {
              server.arrive(data(id, whole.subarray(at, at + 16_000), at + 16_000 >= whole.length));
            }
          }
        }
        const received = (id: number) => peer.streams.get(id)?.data.reduce((sum, part) => sum + part.length, 0) ?? 0;
        const isServed = (call: number) => received(idOf(call)) === PREFIX + (sizes[call] as number);
        for (const one of steps) {
          if (one === "turn") {
            await server.settled();
            for (const call of sizes.keys()) expect(isServed(call) || windows.isShut(idOf(call))).toBe(true);
          } else if ("initial" in one) windows.change(one.initial);
          // A stream that has ended has no window any more.
          else if (one.update === 0 || !isServed(one.update - 1)) windows.update(one.update === 0 ? 0 : idOf(one.update - 1), one.bytes);
        }
        windows.update(0, 2 ** 20);
        windows.change(2 ** 20);
        await server.settled();
        for (const call of sizes.keys()) {
          expect(await peer.status(idOf(call))).toEqual({ code: 0, details: "" });
          expect(isServed(call)).toBe(true);
        }
        expect([peer.goneAway, windows.faults]).toEqual([[], []]);
        await server.hangUp();
      },
    ),
    { numRuns: 200 },
  );
});

test("a client that keeps to our windows can send as much as it likes, in frames and with padding of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1_000, max: 60_000 }),
      fc.infiniteStream(fc.record({ bytes: fc.integer({ min: 1, max: 16_000 }), padding: fc.integer({ min: 0, max: 255 }) })),
      async (window, frames) => {
        const server = new WiredServer({ streamWindowBytes: window, connectionWindowBytes: 65_535 });
        const { peer } = server;
        const left = new Map([
          [0, 65_535],
          [1, window],
        ]);
        peer.onFrame = ({ type, id, payload }) => {
          if (type === Frame.WINDOW_UPDATE) left.set(id, (left.get(id) ?? 0) + payload.readUInt32BE(0));
        };
        server.arrive(Buffer.concat([PREFACE, settings(), peer.open(1, "/t.T/Count")]));
        const whole = Buffer.concat([message(new Uint8Array(90_000)), message(new Uint8Array(90_000))]);
        for (let at = 0; at < whole.length; ) {
          const { bytes, padding } = frames.next().value as { bytes: number; padding: number };
          const room = Math.min(...left.values()) - 1 - padding;
          if (room <= 0) {
            const before = peer.frames.length;
            await server.settled();
            // What holds no whole frame is renewed before it is used up.
            expect(peer.frames.length).toBeGreaterThan(before);
            continue;
          }
          const part = whole.subarray(at, at + Math.min(bytes, room));
          at += part.length;
          for (const id of left.keys()) left.set(id, (left.get(id) as number) - part.length - 1 - padding);
          server.arrive(padded(1, part, padding, at === whole.length));
        }
        await server.settled();
        expect(Buffer.concat(peer.streams.get(1)?.data ?? []).toString()).toContain("2 messages, 180000 bytes");
        await server.hangUp();
      },
    ),
    { numRuns: 50 },
  );
});

test("more than the stream's window allows ends the stream, more than the connection's the connection", async () => {
  const server = new WiredServer({ streamWindowBytes: 100, connectionWindowBytes: 2 ** 20 });
  server.arrive(Buffer.concat([PREFACE, settings(), server.peer.open(1, "/t.T/Count"), data(1, new Uint8Array(101))]));
  expect((await server.peer.ended(1)).reset).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  await server.hangUp();
  const narrow = new WiredServer({ connectionWindowBytes: 100 });
  narrow.arrive(Buffer.concat([PREFACE, settings(), narrow.peer.open(1, "/t.T/Count"), data(1, new Uint8Array(101))]));
  await narrow.settled();
  expect(narrow.peer.goneAway.map(({ code }) => code)).toEqual([ErrorCode.FLOW_CONTROL_ERROR]);
  await narrow.hangUp();
});

test("a window above 2^31-1 is FLOW_CONTROL_ERROR, however it comes about", async () => {
  const cases = [
    Buffer.concat([windowUpdate(0, MAX_WINDOW), windowUpdate(0, 1)]),
    Buffer.concat([windowUpdate(1, MAX_WINDOW - DEFAULT_WINDOW), settings([Setting.INITIAL_WINDOW_SIZE, DEFAULT_WINDOW + 1])]),
    settings([Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW + 1]),
  ];
  for (const one of cases) {
    const server = new WiredServer();
    server.arrive(Buffer.concat([PREFACE, settings(), server.peer.open(1, "/t.T/Count"), one]));
    await server.settled();
    expect(server.peer.goneAway.map(({ code }) => code)).toEqual([ErrorCode.FLOW_CONTROL_ERROR]);
    await server.hangUp();
  }
});

test("a window that SETTINGS made negative is filled up before anything is sent", async () => {
  const server = new WiredServer();
  const { peer } = server;
  server.arrive(Buffer.concat([PREFACE, settings([Setting.INITIAL_WINDOW_SIZE, 1_000]), peer.call(1, "/t.T/Large", uint32(1_500))]));
  await server.settled();
  const received = () => Buffer.concat(peer.streams.get(1)?.data ?? []).length;
  expect(received()).toBe(1_000);
  server.arrive(Buffer.concat([settings([Setting.INITIAL_WINDOW_SIZE, 0]), windowUpdate(1, 1_000)]));
  await server.settled();
  expect(received()).toBe(1_000);
  server.arrive(windowUpdate(1, 1));
  await server.settled();
  expect(received()).toBe(1_001);
  server.arrive(settings([Setting.INITIAL_WINDOW_SIZE, 1_000]));
  await peer.ended(1);
  expect(received()).toBe(PREFIX + 1_500);
  await server.hangUp();
});

test("the windows that we announce are those of the limits", async () => {
  const server = new WiredServer();
  server.arrive(Buffer.concat([PREFACE, settings()]));
  await server.settled();
  const [said, update] = server.peer.frames;
  expect(said?.payload.toString("hex")).toContain(`0004${DEFAULT_LIMITS.streamWindowBytes.toString(16).padStart(8, "0")}`);
  expect(update?.payload.readUInt32BE(0)).toBe(DEFAULT_LIMITS.connectionWindowBytes - DEFAULT_WINDOW);
  await server.hangUp();
});
