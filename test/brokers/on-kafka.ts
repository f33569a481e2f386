import { afterAll, afterEach, beforeAll, vi } from "vitest";
import { benchOn } from "../../src/components/kafka/bench.fixture.ts";
import type { Bench } from "../../src/conformance/bench.ts";
import { type KafkaServer, startKafka } from "./kafka.ts";
import { withKafka } from "./with.ts";

const START_MS = 300_000;
const TEST_MS = 60_000;

interface Scene {
  readonly kafka: () => KafkaServer;
  /** A bench on it, closed after the test. */
  readonly on: (metadata?: Readonly<Record<string, unknown>>) => Bench;
}

/** Tests on a Kafka of their own. */
export function onKafka(name: string, tests: (scene: Scene) => void): void {
  withKafka(name, () => {
    vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });
    let server: KafkaServer | undefined;
    let bench: Bench | undefined;
    const kafka = () => server as KafkaServer;
    beforeAll(async () => {
      server = await startKafka();
    }, START_MS);
    afterAll(() => server?.stop());
    afterEach(() => bench?.closeAll());
    tests({
      kafka,
      on: (metadata = {}) => {
        bench = benchOn(kafka().port, metadata);
        return bench;
      },
    });
  });
}
