import { expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import { storeTogether } from "./bound.ts";
import type { Connection } from "./connection.ts";

test("where the server did each on its own, what it stored behind a refused one of its key does not succeed", () => {
  const full = new PubSubError("resource_exhausted", "OOM");
  const replies = [full, Buffer.from("1-1"), Buffer.from("1-2"), Buffer.from("1-3")];
  const connection = {
    transacts: true,
    together: (_: unknown, callback: (error: undefined, all: unknown) => void) => callback(undefined, replies),
  };
  const messages = ["k", "k", "other", undefined].map((key) => ({
    topic: "t",
    data: new Uint8Array(1),
    attributes: {},
    ...(key === undefined ? {} : { key }),
    done: () => undefined,
  }));
  const told: unknown[] = [];
  storeTogether(connection as unknown as Connection, messages, (at, error, reply) => told.push([at, error?.outcome ?? String(reply)]));
  expect(told).toEqual([
    [0, "rejected"],
    [1, "unknown"],
    [2, "1-2"],
    [3, "1-3"],
  ]);
});
