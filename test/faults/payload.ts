/** A message that says which one it is, however long it is. */
export function written(number: number, key: string | undefined, bytes = 0): Uint8Array {
  const text = `${number} ${key ?? "-"} `;
  const data = Buffer.alloc(Math.max(bytes, text.length), ".");
  data.write(text);
  return data;
}

/** Undefined: not one of ours. */
export function read(data: Uint8Array): { readonly number: number; readonly key: string | undefined } | undefined {
  const text = Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, 64)).toString("latin1");
  const [, number, key] = /^(\d+) (\S+) /.exec(text) ?? [];
  return number === undefined ? undefined : { number: Number(number), key: key === "-" ? undefined : key };
}
