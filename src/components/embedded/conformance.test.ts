import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, test } from "vitest";
import { conformance } from "../../conformance/index.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

const dataDir = mkdtempSync(join(tmpdir(), "embedded-"));
afterAll(() => rmSync(dataDir, { recursive: true }));
const context = { name: "test", appId: "app1", process: "host:1", dataDir, clock: systemClock };

/** One process owns the file, so its clients are one, which ends with its last user. */
let shared: { readonly pubsub: PubSub; users: number } | undefined;

function open(): PubSub {
  shared ??= { pubsub: definition.open(definition.options.parse({}), context), users: 0 };
  const own = shared;
  own.users += 1;
  return own.pubsub;
}

describe("embedded", () => {
  const checks = conformance({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: 100,
    gaps: [],
    open: () => Promise.resolve(open()),
    restart: async () => {
      await shared?.pubsub.close(AbortSignal.timeout(5_000));
      shared = undefined;
    },
    crash: async (pubsub) => {
      await pubsub.close(AbortSignal.timeout(5_000));
      shared = undefined;
    },
  });
  for (const { name, run } of checks) {
    test(name, async () => {
      shared = undefined;
      await run();
    }, 30_000);
  }
});
