import { expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { adminOf } from "./admin.ts";
import { snsSqsOptions } from "./config.ts";
import { Entities } from "./entities.ts";
import { PlayedAws } from "./played-aws.fixture.ts";

test.each(["orders", "orders.fifo"])("a FIFO topic has its groups, whether the app writes the .fifo or not: %s", async (topic) => {
  const aws = new PlayedAws();
  const options = snsSqsOptions.parse({ createWait: 0, fifo: true });
  const entities = new Entities(aws.client, options, new SteppedClock());
  await entities.group({ topic: "orders", group: "g" });
  const admin = adminOf(aws.client, entities, options, () => 1);
  expect(await admin.groups?.(topic)).toEqual([{ group: "g", consumers: 1, pending: 0 }]);
});
