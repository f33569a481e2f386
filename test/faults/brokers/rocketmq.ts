import { TcpProxy } from "../../brokers/proxy.ts";
import { rocketmqAvailable, startRocketmq } from "../../brokers/rocketmq.ts";
import { toxiproxyAvailable } from "../../brokers/toxiproxy.ts";
import type { Component } from "../../e2e/sidecar.ts";
import { type Broker, NO_DISK } from "../broker.ts";
import { OF_THE_ENGINE } from "../scenarios/of-the-engine.ts";

/** The least that RocketMQ has; and a second for what must be noticed. */
const TIMES = { lease: "10s", requestTimeout: "1s" };
/** A lease, and what the broker needs to notice its end. */
const BACK_WITHIN_MS = 18_000;
/** What a group reads in order it reads under a name of its own. */
const GROUPS = (group: string): readonly string[] => [group, `${group}-ordered`];

export const rocketmq: Broker = {
  name: "rocketmq",
  gaps: {
    ...NO_DISK,
    refuses: "the tests have no lever that makes RocketMQ refuse one topic",
    trims: "RocketMQ deletes by age, not by what its groups have settled",
    failover: "a second broker that takes over needs a controller, which the tests have not",
    "dead-letters":
      "RocketMQ stores a message and acknowledges another in two steps: a kill between them leaves a dead letter twice, with one id (nothing is lost)",
    "order-failing-keys":
      "RocketMQ gives no more of a queue until all that it gave is settled: a hundred keys that fail hold up all of its eight (nothing is lost)",
    "cut-in-read": "what a broken reply carried comes again after its lease, ten seconds: in all longer than is waited (nothing is lost)",
    wipe: "RocketMQ forgets topics and groups only one by one",
  },
  forgetsAcks: "RocketMQ keeps the acknowledgements of the last ten seconds or so in memory alone",
  // A lease is ten seconds at least, and a virtual machine takes as long to start: all of them together would take ten minutes.
  byHand: new Set([
    ...OF_THE_ENGINE,
    ...["replies-swallowed", "broker-frozen", "dead-letters-cut"],
    ...["broker-killed", "pod-killed", "sidecar-stopped", "sidecar-frozen", "replicas", "order-replicas"],
    ...["latency", "half-open", "reset-peer", "slow-close", "requests-swallowed", "cut-in-reply", "cut-in-request"],
    ...["app-slow", "all-fail"],
  ]),
  unavailable: () => rocketmqAvailable() ?? toxiproxyAvailable(),
  async start() {
    const server = await startRocketmq();
    /** It counts connections, which RocketMQ does not tell. */
    const door = await TcpProxy.start(server.port);
    const nameServer = `127.0.0.1:${server.nameServerPort}`;
    return {
      component: (port): Component => ({ type: "rocketmq", metadata: { endpoints: `127.0.0.1:${port}`, nameServer, ...TIMES } }),
      process: {
        port: door.port,
        kill: () => server.kill(),
        restart: () => server.restart(),
        freeze: () => server.freeze(),
        thaw: () => server.thaw(),
        accepted: () => Promise.resolve(door.accepted),
      },
      backWithinMs: BACK_WITHIN_MS,
      async owed(topic, group) {
        const counts = await Promise.all(GROUPS(group).map((one) => server.unread(topic, one)));
        return { pending: 0, lag: counts.reduce((sum, count) => sum + count, 0) };
      },
      async stop() {
        await door.stop();
        await server.stop();
      },
    };
  },
};
