import fc from "fast-check";
import { expect, test } from "vitest";
import { Redelivery } from "./redelivery.ts";

test("what is due comes in the order of positions, and nothing before its time", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(fc.nat(50), fc.nat(1_000)), { selector: ([, pos]) => pos }), fc.nat(50), (all, now) => {
      const again = new Redelivery();
      for (const [due, pos] of all) again.addLater(due, pos);
      const came: number[] = [];
      for (let pos = again.peek(now); pos !== undefined; pos = again.peek(now)) {
        came.push(pos);
        again.drop();
      }
      const due = all.filter(([at]) => at <= now).map(([, pos]) => pos);
      const later = all.filter(([at]) => at > now).map(([at]) => at);
      expect(came).toEqual(due.sort((a, b) => a - b));
      expect(again.nextDue).toBe(later.length > 0 ? Math.min(...later) : undefined);
    }),
  );
});
