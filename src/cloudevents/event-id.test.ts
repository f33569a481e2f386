import { expect, test } from "vitest";
import { ID_LENGTH, newId, writeId } from "./event-id.ts";

test("ids are random UUIDs of version 4, and none comes twice", () => {
  const ids = Array.from({ length: 2_000 }, newId);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(ids.length);
  for (const place of [0, 12, 17, 35]) expect(new Set(ids.map((id) => id[place])).size).toBe(16);
});

test("an id is written where it is to stand, and nowhere else", () => {
  const bytes = Buffer.alloc(ID_LENGTH + 4, "x");
  writeId(bytes, 2);
  expect(bytes.toString()).toMatch(/^xx[0-9a-f-]{36}xx$/);
});
