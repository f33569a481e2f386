/** A key's slot in a cluster: CRC-16 (XMODEM) of the key, or of what stands between its first braces. */

const SLOTS = 16_384;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export function slotOf(key: string): number {
  const hashed = tagOf(key) ?? key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] ?? 0);
  return crc % SLOTS;
}

/** The name of a key that lives in the slot of `key`: `{orders}:layotto:lead:group1`. A key with braces of its own keeps them. */
export function keyBeside(key: string, name: string): string {
  if (tagOf(key) !== undefined) return `${key}:layotto:${name}`;
  if (key !== "" && !key.includes("}")) return `{${key}}:layotto:${name}`;
  // Within braces this one would not be what is hashed: any other text of its slot will do.
  let tag = 0;
  while (slotOf(String(tag)) !== slotOf(key)) tag += 1;
  return `{${tag}}${key}:layotto:${name}`;
}

/** What stands between the first braces, if anything does. */
function tagOf(key: string): string | undefined {
  const open = key.indexOf("{");
  const end = open < 0 ? -1 : key.indexOf("}", open + 1);
  return end > open + 1 ? key.slice(open + 1, end) : undefined;
}
