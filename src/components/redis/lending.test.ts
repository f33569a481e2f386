import { expect, test } from "vitest";
import { systemClock } from "../../pubsub/clock.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import { redisOptions } from "./config.ts";
import { type Lender, Lending } from "./lending.ts";
import type { Member } from "./member.ts";

/** A lender that the server is not asked for. */
function setUp() {
  const told: string[] = [];
  const sink = { deliver: (batch: readonly Delivery[]) => told.push(`lent ${batch.map(({ position }) => position)}`) };
  const lost = (batch: readonly Delivery[]) => told.push(`lost ${batch.map(({ position }) => position)}`);
  const nothing = () => undefined;
  const lender = {
    sink,
    lost,
    takesBack: false,
    goOn: () => told.push("goes on"),
    settling: nothing,
    touched: nothing,
  } as unknown as Lender;
  const options = redisOptions.parse({ redisHost: "localhost" });
  const member = { topic: "t", group: "g", consumer: "c", lead: undefined, options, clock: systemClock, node: undefined, failed: nothing };
  const lending = new Lending(member as Member, false, lender);
  for (const id of ["1-0", "2-0", "3-0", "4-0"]) lending.hold([Buffer.from(id), [Buffer.from("data"), Buffer.from("x")]], 0, 0);
  lending.window(2, 1e6);
  lending.lend();
  return { told, lending };
}

test("what was held and is with another now makes room, and the reader goes on", () => {
  const { told, lending } = setUp();
  expect([told, lending.room(10)]).toEqual([["lent 1-0,2-0"], 0]);
  lending.leases.gone(["1-0", "2-0", "3-0", "4-0"]);
  expect([told.slice(1), lending.holds, lending.room(10)]).toEqual([["lost 1-0,2-0", "goes on"], false, 2]);
});

test("also when only what was held is gone", () => {
  const { told, lending } = setUp();
  lending.leases.gone(["3-0"]);
  expect([told.slice(1), lending.holds]).toEqual([["goes on"], true]);
  lending.leases.gone(["3-0"]);
  expect(told.slice(2)).toEqual([]);
});
