import fc from "fast-check";
import { expect, test } from "vitest";
import { HpackEncoder } from "../hpack/encoder.ts";
import { conversation, HELLO, outcome, scripts } from "./conversation.fixture.ts";
import { WiredServer } from "./wire.fixture.ts";

const NAMES = Object.keys(scripts(new HpackEncoder(), "plain"));
const whole = conversation();

/** What becomes of the calls of a conversation that arrives in these pieces. */
async function outcomesOf(pieces: Iterable<Buffer>): Promise<readonly (readonly [name: string, outcome: unknown])[]> {
  const server = new WiredServer();
  for (const piece of pieces) server.arrive(piece);
  await server.settled();
  const outcomes = NAMES.map((name, index) => [name, outcome(server.peer, 2 * index + 1)] as const);
  const { goneAway } = server.peer;
  await server.hangUp();
  return [...outcomes, ["goneAway", goneAway]];
}

function* cut(bytes: Buffer, at: Iterable<number>): Generator<Buffer> {
  let from = 0;
  for (const to of at) {
    yield Buffer.from(bytes.subarray(from, to));
    from = to;
  }
  yield Buffer.from(bytes.subarray(from));
}

const expected = await outcomesOf([Buffer.from(whole)]);

test("the conversation goes as it should when it arrives in one piece", () => {
  const status = Object.fromEntries(
    expected.map(([name, of]) => {
      const { sections = [], reset } = (of ?? {}) as { sections?: Record<string, string>[]; reset?: number };
      return [name, sections.at(-1)?.["grpc-status"] ?? sections[0]?.[":status"] ?? reset];
    }),
  );
  expect(status).toEqual({
    unary: "0",
    empty: "0",
    "in many parts": "0",
    padded: "0",
    "both ways": "0",
    gzip: "0",
    large: "0",
    cancelled: undefined,
    unknown: "12",
    "no gRPC": "415",
    broken: "13",
    goneAway: undefined,
  });
  expect(Object.fromEntries(expected).padded).toMatchObject({ data: expect.stringContaining("2 messages, 6 bytes") });
});

test("byte by byte", async () => {
  expect(await outcomesOf(cut(whole, whole.keys()))).toEqual(expected);
});

test("in two pieces, wherever they are cut", async () => {
  // Within the long message one place is like another.
  const places = [...whole.keys()].filter((at) => at < 1_500 || at > whole.length - 1_500 || at % 97 === 0);
  for (const at of places) expect(await outcomesOf(cut(whole, [at])), `cut at ${at}`).toEqual(expected);
}, 20_000);

test("in pieces of any sizes", async () => {
  const sizes = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 5_000 }));
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(sizes), async (stream) => {
      const places: number[] = [];
      for (let at = 0; at < whole.length; at += stream.next().value as number) places.push(at);
      expect(await outcomesOf(cut(whole, places))).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

test("with the frames of all calls interleaved, each call goes as it does alone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.boolean(), async (choices, apart) => {
      const server = new WiredServer();
      server.arrive(HELLO);
      // Not indexed: the order of the header blocks is open.
      const calls = Object.entries(scripts(new HpackEncoder(), "plain")).map(([name, steps]) => ({ name, steps: [...steps], id: 0 }));
      const running = [...calls];
      const pieces: Buffer[] = [];
      for (let next = 1; running.length > 0; ) {
        const call = running[(choices.next().value as number) % running.length] as (typeof calls)[number];
        if (call.id === 0) {
          call.id = next;
          next += 2;
        }
        pieces.push((call.steps.shift() as (id: number) => Buffer)(call.id));
        if (call.steps.length === 0) running.splice(running.indexOf(call), 1);
      }
      for (const piece of apart ? pieces : [Buffer.concat(pieces)]) server.arrive(piece);
      await server.settled();
      const outcomes = calls.map(({ name, id }) => [name, outcome(server.peer, id)]);
      const { goneAway } = server.peer;
      await server.hangUp();
      expect([...outcomes, ["goneAway", goneAway]]).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});
