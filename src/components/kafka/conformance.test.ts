import { afterAll, beforeAll, test } from "vitest";
import { type KafkaServer, startKafka } from "../../../test/brokers/kafka.ts";
import { withKafka } from "../../../test/brokers/with.ts";
import { conformance } from "../../conformance/index.ts";
import { openKafka } from "./bench.fixture.ts";
import { definition } from "./index.ts";

const LEASE_MS = 1_500;
const START_MS = 300_000;

withKafka("kafka", () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka();
  }, START_MS);
  afterAll(() => kafka?.stop());

  const checks = conformance({
    name: definition.type,
    capabilities: definition.capabilities,
    leaseMs: LEASE_MS,
    patienceMs: 20_000,
    gaps: [
      {
        behaviour: "what is lent stays with its reader, for as long as it takes",
        why: "it does (kafka.test.ts), but what is behind it in its partition goes to no other reader meanwhile",
      },
      {
        behaviour: "a sidecar that stops waits for the call that runs, and gives back what has not begun",
        why: "what is behind a running call in its partition goes to another reader once that call has ended",
      },
      { behaviour: "browsing reads without consuming, page by page, and removing takes away", why: "Kafka deletes no single message" },
      {
        behaviour: "a message that is moved stands at its target, and never comes again",
        why: "a dead letter is published, and then its original is settled: a transaction for each would cost more than it gives",
      },
    ],
    open: () => openKafka(kafka.port),
    restart: () => kafka.restart(),
    outage: async () => {
      await kafka.kill();
      return () => kafka.restart();
    },
    crash: (pubsub) => pubsub.close(AbortSignal.abort()).catch(() => undefined),
  });
  for (const { name, run } of checks) test(name, run, 120_000);
});
