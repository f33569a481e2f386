import { expect, test } from "vitest";
import { systemClock } from "../../pubsub/clock.ts";
import { redisOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import { Dials } from "./dial.ts";
import { Doorbell } from "./doorbell.ts";
import { Doorbells } from "./doorbells.ts";

/** Of no server: what is asked of it is known without one. */
function doorbell(): Doorbell {
  const dial = new Dials(redisOptions.parse({ redisHost: "localhost" }), systemClock).to({ host: "localhost", port: 1 }, "test");
  const never = new Connection(dial, 1_000, { up: () => undefined, down: () => undefined, demoted: () => undefined });
  return new Doorbell(never, never, systemClock, 1_000, Number, () => false);
}

const watcherOf = (stream: string) => ({ stream, position: "0-0", ring: () => undefined });

test("a slot has a doorbell once somebody waits: whoever stops waiting, or never did, opens none", () => {
  let made = 0;
  const make = () => {
    made += 1;
    return doorbell();
  };
  const doorbells = new Doorbells(doorbell(), make, Number);
  const slots = ["1", "2", "3"].map(watcherOf);
  for (const watcher of slots) doorbells.forget(watcher);
  expect(made).toBe(0);
  for (const watcher of slots) doorbells.wait(watcher);
  expect(made).toBe(2);
  for (const watcher of slots) doorbells.forget(watcher);
  doorbells.close();
  for (const watcher of [...slots, watcherOf("4")]) doorbells.forget(watcher);
  expect(made).toBe(2);
});
