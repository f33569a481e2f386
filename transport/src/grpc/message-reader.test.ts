import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { message } from "../http2/raw-peer.fixture.ts";
import { Status } from "../status.ts";
import type { Encoding } from "./compression.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";

/** A call that takes what is read, and has room for so much. */
class Call implements MessageSink {
  readonly encoding: Encoding | undefined;
  readonly maxMessageBytes = 100_000;
  readonly messages: Buffer[] = [];
  readonly failures: [code: Status, details: string][] = [];
  readonly reader = new MessageReader(this);
  paused = false;
  held = 0;
  room: number;
  /** Called with each message. */
  taking: (() => void) | undefined;

  constructor(
    { encoding, room = 1_000_000 }: { readonly encoding?: Encoding | undefined; readonly room?: number } = { encoding: "identity" },
  ) {
    this.encoding = encoding;
    this.room = room;
  }

  onMessage(one: Uint8Array): void {
    this.messages.push(Buffer.from(one));
    this.reader.release();
    this.taking?.();
  }

  onUnreadable(code: Status, details: string): void {
    this.failures.push([code, details]);
    this.reader.stop();
  }

  hold(bytes: number): boolean {
    if (bytes > 0 && this.held + bytes > this.room) return false;
    this.held += bytes;
    return true;
  }

  /** Returns how much of it was read. */
  push(bytes: Buffer): number {
    return this.reader.push(bytes, 0, bytes.length);
  }
}

test("messages come out as they went in, wherever they are cut", () => {
  const payload = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 4_000, maxLength: 20_000 }));
  fc.assert(
    fc.property(
      fc.array(fc.record({ payload, compressed: fc.boolean() }), { maxLength: 8 }),
      fc.infiniteStream(fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 10_000 }))),
      (messages, cuts) => {
        const call = new Call({ encoding: "gzip" });
        const stream = Buffer.concat(
          messages.map(({ payload, compressed }) => (compressed ? message(gzipSync(payload), { flag: 1 }) : message(payload))),
        );
        for (let at = 0; at < stream.length; ) {
          const end = Math.min(stream.length, at + (cuts.next().value as number));
          expect(call.reader.push(stream, at, end)).toBe(end);
          at = end;
        }
        expect(call.failures).toEqual([]);
        expect(call.messages.length).toBe(messages.length);
        for (const [index, { payload }] of messages.entries()) expect(call.messages[index]?.equals(payload)).toBe(true);
        expect([call.held, call.reader.clean]).toEqual([0, true]);
      },
    ),
    { numRuns: 150 },
  );
});

test("a piece may end anywhere in the prefix, and behind it", () => {
  const stream = message(Buffer.from("hi"));
  for (let cut = 0; cut <= stream.length; cut++) {
    const call = new Call();
    call.push(stream.subarray(0, cut));
    expect(call.reader.clean).toBe(cut === 0 || cut === stream.length);
    call.push(stream.subarray(cut));
    expect(call.messages.map(String)).toEqual(["hi"]);
  }
});

test("memory is taken as bytes come, not as they are announced", () => {
  const call = new Call();
  call.push(message(Buffer.of(1), { length: 100_000 }));
  expect(call.held).toBe(4_096);
  call.push(Buffer.alloc(5_000));
  expect(call.held).toBe(8_192);
  call.reader.stop();
  expect(call.held).toBe(0);
});

test("a paused call gets no further message, and the rest is said to be left", () => {
  const call = new Call();
  call.taking = () => {
    call.paused = true;
  };
  const stream = Buffer.concat([message(Buffer.from("a")), message(Buffer.from("b"))]);
  expect(call.push(stream)).toBe(6);
  call.paused = false;
  expect(call.push(stream.subarray(6))).toBe(6);
  expect(call.messages.map(String)).toEqual(["a", "b"]);
});

test("when the call is over nothing is read any more, nor held", () => {
  const call = new Call();
  call.taking = () => call.reader.stop();
  call.push(Buffer.concat([message(Buffer.from("a")), message(Buffer.from("b")), message(Buffer.from("c"), { length: 9 })]));
  expect([call.messages.map(String), call.held]).toEqual([["a"], 0]);
});

test("a message that has to wait counts as what it is, also when gzip made it of less", () => {
  const call = new Call({ encoding: "gzip", room: 5_000 });
  const kept: boolean[] = [];
  call.onMessage = (one) => kept.push(call.reader.keep(one));
  call.push(message(gzipSync(new Uint8Array(4_000)), { flag: 1 }));
  expect([kept, call.held]).toEqual([[true], 4_000]);
  call.reader.release();
  call.push(message(gzipSync(new Uint8Array(6_000)), { flag: 1 }));
  expect([kept, call.held]).toEqual([[true, false], 0]);
});

describe("what cannot be read ends the call", () => {
  const cases: readonly (readonly [string, Buffer, Encoding | undefined, Status, RegExp])[] = [
    ["a flag of 2", message(Buffer.of(1), { flag: 2 }), "gzip", Status.INTERNAL, /flag.* 2/],
    ["compressed without an encoding", message(gzipSync("a"), { flag: 1 }), "identity", Status.INTERNAL, /grpc-encoding/],
    ["an encoding that is not known", message(Buffer.from("a"), { flag: 1 }), undefined, Status.UNIMPLEMENTED, /identity and gzip/],
    ["no gzip", message(Buffer.from("a"), { flag: 1 }), "gzip", Status.INTERNAL, /gzip/],
    ["half a gzip", message(gzipSync("abc").subarray(0, 15), { flag: 1 }), "gzip", Status.INTERNAL, /gzip/],
    ["a gzip bomb", message(gzipSync(new Uint8Array(1_000_000)), { flag: 1 }), "gzip", Status.RESOURCE_EXHAUSTED, /100000/],
    [
      "a message that is said to be too large",
      message(Buffer.alloc(0), { length: 100_001 }),
      "identity",
      Status.RESOURCE_EXHAUSTED,
      /100001 .*100000/,
    ],
  ];
  test.for(cases)("%s", ([, bytes, encoding, code, details]) => {
    const call = new Call({ encoding });
    call.push(Buffer.concat([bytes, message(Buffer.from("behind"))]));
    expect([call.messages, call.held]).toEqual([[], 0]);
    expect(call.failures).toEqual([[code, expect.stringMatching(details)]]);
  });

  test("more than the connection may hold", () => {
    const call = new Call({ encoding: "identity", room: 10_000 });
    call.push(message(new Uint8Array(9_000), { length: 50_000 }));
    call.push(Buffer.alloc(9_000));
    expect([call.failures.map(([code]) => code), call.held]).toEqual([[Status.RESOURCE_EXHAUSTED], 0]);
  });
});
