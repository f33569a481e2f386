import { crypto } from "../pubsub/crypto.ts";

const UUID_BYTES = 16;
/** Characters of an id. */
export const ID_LENGTH = 36;
const HYPHEN = 0x2d;
const DIGITS = Buffer.from("0123456789abcdef");
/** Random bytes for 256 ids: to ask for few at a time costs more than the rest of an id. */
const random = Buffer.alloc(UUID_BYTES * 256);
let used = random.length;

/** Writes the id of a new event: a random UUID (RFC 9562, section 5.4), as `ID_LENGTH` characters of ASCII. Every message gets one, so no string is made. */
export function writeId(to: Uint8Array, at: number): void {
  if (used === random.length) {
    crypto().randomFillSync(random);
    used = 0;
  }
  random[used + 6] = ((random[used + 6] as number) & 0x0f) | 0x40;
  random[used + 8] = ((random[used + 8] as number) & 0x3f) | 0x80;
  let place = at;
  for (let index = 0; index < UUID_BYTES; index++) {
    const byte = random[used + index] as number;
    if (index === 4 || index === 6 || index === 8 || index === 10) to[place++] = HYPHEN;
    to[place++] = DIGITS[byte >> 4] as number;
    to[place++] = DIGITS[byte & 0x0f] as number;
  }
  used += UUID_BYTES;
}

export function newId(): string {
  const id = Buffer.alloc(ID_LENGTH);
  writeId(id, 0);
  return id.toString("latin1");
}
