import fc from "fast-check";
import { expect, test } from "vitest";
import { type Argument, CommandWriter, type Reply, ReplyReader, RespError, RespSyntaxError } from "./resp.ts";

type Any = Reply | RespError | string;

/** As a server would write it. */
function bytesOf(value: Any): Buffer {
  if (value === null) return Buffer.from("$-1\r\n");
  if (typeof value === "number") return Buffer.from(`:${value}\r\n`);
  if (typeof value === "string") return Buffer.from(`+${value}\r\n`);
  if (value instanceof RespError) return Buffer.from(`-${value.message}\r\n`);
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${(value as Any[]).length}\r\n`), ...(value as Any[]).map(bytesOf)]);
}

/** Simple strings come as bytes as well. */
function expected(value: Any): Reply | RespError {
  if (typeof value === "string") return Buffer.from(value);
  return Array.isArray(value) ? (value.map(expected) as Reply) : (value as Reply);
}

const { reply: replies } = fc.letrec<{ reply: Any }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.maxSafeInteger(),
    fc.constant(null),
    fc.stringMatching(/^[a-z ]{0,20}$/),
    fc.stringMatching(/^[A-Z]{1,9}$/).map((text) => new RespError(text)),
    fc.array(tie("reply"), { maxLength: 5 }).map((list) => list as unknown as Reply),
  ),
}));

test("however the bytes are cut, the replies are the same", () => {
  fc.assert(
    fc.property(fc.array(replies, { maxLength: 8 }), fc.array(fc.nat(60), { minLength: 1 }), (values, cuts) => {
      const bytes = Buffer.concat(values.map(bytesOf));
      const read: unknown[] = [];
      const reader = new ReplyReader((reply) => read.push(reply));
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = 1 + (cuts[turn % cuts.length] as number);
        reader.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(read).toEqual(values.map(expected));
    }),
  );
});

test("what is no reply is refused", () => {
  expect(() => new ReplyReader(() => undefined).push(Buffer.from("HTTP/1.1 400\r\n"))).toThrow(RespSyntaxError);
});

test("commands are arrays of bulk strings, whatever is in them and however large they are", () => {
  const texts = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.constantFrom("x".repeat(9_999), "é".repeat(5_000), "x".repeat(70_000)),
  );
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(100_000))).map((one) => Buffer.from(one));
  const commands = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,12}$/), fc.array(fc.oneof(texts, bytes), { maxLength: 5 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 3 }), (turns) => {
      const writer = new CommandWriter();
      for (const turn of turns) {
        for (const [name, args] of turn) writer.add(name, args as Argument[]);
        const sent = Buffer.concat(writer.take());
        writer.reuse();
        expect(sent.equals(Buffer.concat(turn.map(([name, args]) => bytesOf([name, ...args].map((one) => Buffer.from(one))))))).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});
