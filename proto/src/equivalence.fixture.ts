import fc from "fast-check";

/** Text as the wire meets it, and as it does not like it: any UTF-16, lone surrogates, and what other code points must not be mistaken for. */
export const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 60 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
  fc.string({ unit: fc.constantFrom("\ud800", "\udfff", "a", "\ufeff", "\ufffd", "é", "Ã", "©"), maxLength: 20 }),
  fc.constantFrom("", "__proto__", "constructor", "orders", "application/json", "0", "10"),
  fc
    .tuple(
      fc.constantFrom("a", "é", "😀", "\udc00"),
      fc.constantFrom(12, 13, 39, 40, 41, 42, 43, 64, 127, 128, 1023, 1024, 5461, 5462, 16_383, 16_384, 30_000),
    )
    .map(([unit, count]) => unit.repeat(count)),
);

export const data = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  fc.constantFrom(0, 127, 128, 8192, 16_383, 16_384, 65_536, 200_000).map((length) => new Uint8Array(length).fill(length)),
);

/** Own keys, `__proto__` among them. */
export const metadata = fc
  .oneof(
    { weight: 6, arbitrary: fc.array(fc.tuple(text, text), { maxLength: 5 }) },
    fc.array(fc.tuple(fc.string(), fc.string()), { minLength: 100, maxLength: 2000, size: "max" }),
  )
  .map((entries) => {
    const record: Record<string, string> = {};
    for (const [key, value] of entries) Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
    return record;
  });

const varint = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 140 }).map(varintOf) },
  fc.nat({ max: 0x7fffffff }).map(varintOf),
  fc
    .tuple(fc.nat({ max: 20 }), fc.integer({ min: 1, max: 11 }))
    .map(([value, zeros]) => [value | 0x80, ...new Array(zeros - 1).fill(0x80), 0]),
  fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 11 }).chain((high) => fc.nat({ max: 0x7f }).map((last) => [...high, last])),
);
const tag = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 5 })).map(([number, type]) => varintOf(number * 8 + type)) },
  fc.nat({ max: 255 }).map(varintOf),
  varint,
);
const utf8 = text.map((value) => [...new TextEncoder().encode(value.slice(0, 200))]);
/** What has its length before it. */
const delimited = (content: fc.Arbitrary<readonly number[]>) => content.map((bytes) => [...varintOf(bytes.length), ...bytes]);
const mapEntry = fc
  .array(fc.tuple(fc.constantFrom([0x0a], [0x12], [0x0a], [0x12], [0x1a]), delimited(utf8)), { maxLength: 3 })
  .map((fields) => fields.flat(2));
const known = (numbers: readonly number[]) => fc.constantFrom(...numbers).map((number) => varintOf(number * 8 + 2));
const field: fc.Arbitrary<readonly number[]> = fc.letrec<{ field: readonly number[]; group: readonly number[] }>((tie) => ({
  field: fc.oneof(
    { maxDepth: 4 },
    { weight: 4, arbitrary: fc.tuple(known([1, 2, 3, 4, 5, 6, 7, 8]), delimited(utf8)).map((parts) => parts.flat()) },
    { weight: 4, arbitrary: fc.tuple(known([5, 10]), delimited(mapEntry)).map((parts) => parts.flat()) },
    fc.tuple(known([1, 2, 3, 5, 7, 10, 11]), delimited(fc.array(fc.nat({ max: 255 }), { maxLength: 8 }))).map((parts) => parts.flat()),
    fc.tuple(fc.nat({ max: 20 }), varint).map(([number, value]) => [...varintOf(number * 8), ...value]),
    fc
      .tuple(fc.nat({ max: 20 }), fc.uint8Array({ minLength: 8, maxLength: 8 }))
      .map(([number, bytes]) => [...varintOf(number * 8 + 1), ...bytes]),
    fc
      .tuple(fc.nat({ max: 20 }), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([number, bytes]) => [...varintOf(number * 8 + 5), ...bytes]),
    fc.tuple(tag, varint).map((parts) => parts.flat()),
    tie("group"),
  ),
  group: fc
    .tuple(fc.constantFrom(9, 11, 12, 300), fc.array(tie("field"), { maxLength: 3 }))
    .map(([number, fields]) => [...varintOf(number * 8 + 3), ...fields.flat(), ...varintOf(number * 8 + 4)]),
})).field;

/** Bytes that are a message, or almost: fields known and unknown, groups, maps, overlong numbers, then perhaps cut short or with a byte changed. */
export const wire = fc
  .tuple(
    fc.array(field, { maxLength: 6 }),
    fc.option(fc.nat({ max: 1000 }), { freq: 4 }),
    fc.option(fc.tuple(fc.nat({ max: 1000 }), fc.nat({ max: 255 })), { freq: 3 }),
  )
  .map(([fields, cut, change]) => {
    const bytes = Buffer.from(fields.flat());
    if (change && bytes.length > 0) bytes[change[0] % bytes.length] = change[1];
    return cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
  });

/** What `decode` makes of bytes, as something that can be compared: nothing stands for an error. */
export function verdict<T extends object>(decode: () => T, fields: readonly (keyof T)[]): unknown {
  try {
    const message = decode();
    return fields.map((name) => plain(message[name]));
  } catch {
    return undefined;
  }
}

/** Maps as entries, so that `__proto__` is compared as well, and bytes without their class. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value !== "object" || value === null) return value;
  return { own: Object.entries(value), prototype: Object.getPrototypeOf(value) === Object.prototype };
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
