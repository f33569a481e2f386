import { gzipSync } from "node:zlib";
import { type HeaderField, HpackEncoder } from "../hpack/encoder.ts";
import { ErrorCode, Flag, Frame, PREFACE, Setting } from "./protocol.ts";
import {
  continuation,
  data,
  frame,
  headers,
  message,
  padded,
  ping,
  priority,
  type RawPeer,
  requestFields,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "./raw-peer.fixture.ts";

export const HELLO = Buffer.concat([PREFACE, settings([Setting.INITIAL_WINDOW_SIZE, 100_000]), windowUpdate(0, 2 ** 20)]);

/** The frames of one call each, in their order; what must not be torn apart is one piece. By what the call is. */
export function scripts(encoder: HpackEncoder, indexing: HeaderField[2]): Readonly<Record<string, readonly ((id: number) => Buffer)[]>> {
  const block = (path: string, ...more: readonly HeaderField[]) =>
    encoder.encode([...requestFields(path), ...more].map(([name, value]) => [name, value, indexing]));
  const text = (value: string) => message(Buffer.from(value));
  const long = message(new Uint8Array(20_000).fill(7));
  return {
    unary: [(id) => headers(id, block("/t.T/Echo")), (id) => data(id, text("hello"), true)],
    empty: [(id) => headers(id, block("/t.T/Echo")), (id) => data(id, message(new Uint8Array()), true)],
    "in many parts": [
      (id) => {
        const whole = block("/t.T/Echo", ["user-agent", "one that has much to say", indexing]);
        return Buffer.concat([
          headers(id, whole.subarray(0, 3), false, false),
          continuation(id, new Uint8Array()),
          continuation(id, whole.subarray(3, 4)),
          continuation(id, whole.subarray(4, 20)),
          continuation(id, whole.subarray(20), true),
        ]);
      },
      (id) => data(id, long.subarray(0, 3)),
      (id) => data(id, long.subarray(3, 5)),
      (id) => data(id, long.subarray(5, 10_000)),
      (id) => data(id, long.subarray(10_000)),
      (id) => data(id, new Uint8Array(), true),
    ],
    padded: [
      (id) =>
        frame(
          Frame.HEADERS,
          Flag.PADDED | Flag.PRIORITY | Flag.END_HEADERS,
          id,
          Buffer.concat([Buffer.of(4, 0, 0, 0, 0, 9), block("/t.T/Count"), Buffer.alloc(4)]),
        ),
      (id) => padded(id, text("one").subarray(0, 6), 255),
      (id) => padded(id, new Uint8Array(), 0),
      (id) => padded(id, Buffer.concat([text("one").subarray(6), text("two")]), 1),
      (id) => padded(id, new Uint8Array(), 7, true),
    ],
    "both ways": [
      (id) => headers(id, block("/t.T/Each")),
      (id) => data(id, Buffer.concat([text("a"), text("b"), text("c").subarray(0, 2)])),
      (id) => windowUpdate(id, 10),
      (id) => data(id, text("c").subarray(2)),
      // Trailers.
      (id) => headers(id, encoder.encode([["x-end", "yes", indexing]]), true),
    ],
    gzip: [
      (id) => headers(id, block("/t.T/Echo", ["grpc-encoding", "gzip", indexing], ["grpc-accept-encoding", "gzip", indexing])),
      (id) => data(id, message(gzipSync(new Uint8Array(3_000)), { flag: 1 }), true),
    ],
    large: [(id) => headers(id, block("/t.T/Large")), (id) => data(id, message(uint32(40_000)), true)],
    cancelled: [(id) => headers(id, block("/t.T/Hang")), (id) => data(id, text(""), true), (id) => reset(id, ErrorCode.CANCEL)],
    unknown: [(id) => headers(id, block("/t.T/Nothing")), (id) => Buffer.concat([priority(id), ping(), data(id, text("x"), true)])],
    "no gRPC": [(id) => headers(id, encoder.encode([...requestFields("/").slice(0, 4)]), true)],
    broken: [(id) => headers(id, block("/t.T/Each")), (id) => data(id, message(Buffer.from("x"), { flag: 9 }), true)],
  };
}

/** A conversation of all of them, one after the other: all that a client sends. */
export function conversation(): Buffer {
  const calls = Object.values(scripts(new HpackEncoder(), "index"));
  return Buffer.concat([HELLO, ...calls.flatMap((steps, index) => steps.map((step) => step(2 * index + 1)))]);
}

/** What became of a call: all that does not depend on how its answer was cut into frames. */
export function outcome(peer: RawPeer, id: number): unknown {
  const stream = peer.streams.get(id);
  if (stream === undefined) return undefined;
  return { ...stream, data: Buffer.concat(stream.data).toString("latin1") };
}
