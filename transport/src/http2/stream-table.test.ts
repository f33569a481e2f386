import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamTable } from "./stream-table.ts";

test("it holds what a Map would, whatever comes and goes", () => {
  const ids = fc
    .oneof(
      fc.nat(200),
      fc.nat(2 ** 30 - 1),
      fc.integer({ min: 0, max: 400 }).map((n) => n * 64),
    )
    .map((n) => 2 * n + 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), ids), { maxLength: 400 }), (steps) => {
      const table = new StreamTable<{ readonly id: number }>();
      const model = new Map<number, { readonly id: number }>();
      for (const [adds, id] of steps) {
        if (!adds) {
          table.delete(id);
          model.delete(id);
        } else if (!model.has(id)) {
          const stream = { id };
          table.add(stream);
          model.set(id, stream);
        }
        expect(table.get(id)).toBe(model.get(id));
        expect(table.size).toBe(model.size);
      }
      expect(table.all()).toEqual([...model.values()].sort((a, b) => a.id - b.id));
      for (const [id, stream] of model) expect(table.get(id)).toBe(stream);
    }),
  );
});
