import type { Routes } from "../api/http/server.ts";
import type { Engine } from "../engine/engine.ts";
import type { NamedStatus } from "../engine/subscriptions.ts";
import { BREAKER_STATES } from "../resiliency/circuit-breaker.ts";
import type { CallCounts, Calls } from "../telemetry/calls.ts";
import { exposition, type Labels, type Metric } from "../telemetry/exposition.ts";
import type { PublishCounts, ReaderCounts } from "../telemetry/measures.ts";

/** How long a scrape waits for what brokers must be asked. */
const BACKLOG_MS = 1_000;
const STATES = ["starting", "running", "paused", "degraded", "closed"] as const satisfies readonly NamedStatus["state"][];

const READ = ["pubsub", "topic", "group"] as const;

/** What the metrics are read from. `backlogs` is asked anew at each scrape. */
export interface Measured {
  readonly engine: Pick<Engine, "subscriptions" | "brokers" | "breakers" | "publishBuffer" | "deliveryBuffer"> & {
    readonly measures: Pick<Engine["measures"], "pubsubs">;
  };
  readonly calls: Calls;
  backlogs: Awaited<ReturnType<Engine["backlogs"]>>;
}

/** The metrics of a sidecar, in the order in which they are documented. */
export function metrics(measured: Measured): readonly Metric[] {
  const { engine, calls } = measured;
  return [
    {
      type: "counter",
      name: "layotto_published_messages_total",
      help: "Messages that a broker has taken, each counted when its publisher was told so.",
      labels: ["pubsub", "topic"],
      read: () => ofTopics(engine, ({ published }) => [[{}, published]]),
    },
    {
      type: "counter",
      name: "layotto_publish_failures_total",
      help: "Publishes that ended with an error, by its code.",
      labels: ["pubsub", "topic", "error_type"],
      read: () => ofTopics(engine, ({ failed }) => [...failed].map(([code, count]) => [{ error_type: code }, count])),
    },
    ofReaders(engine, "delivered", "layotto_delivered_messages_total", "Calls of the app with a message, tries again included."),
    ofReaders(engine, "acked", "layotto_acked_messages_total", "Messages settled for good: processed, dropped, expired or dead-lettered."),
    ofReaders(engine, "retried", "layotto_retried_messages_total", "Failures: the app answered RETRY or an error, or took too long."),
    ofReaders(engine, "dropped", "layotto_dropped_messages_total", "Messages that the app answered DROP to."),
    ofReaders(engine, "deadLettered", "layotto_dead_lettered_messages_total", "Messages written to their dead-letter topic."),
    ofReaders(engine, "expired", "layotto_expired_messages_total", "Messages settled unseen because their time to live had passed."),
    ofReaders(
      engine,
      "undecodable",
      "layotto_undecodable_messages_total",
      "Messages handed over as raw events, since they are no CloudEvents.",
    ),
    ofReaders(engine, "released", "layotto_released_messages_total", "Messages given back to the broker without having been with the app."),
    ofReaders(engine, "lost", "layotto_lost_leases_total", "Messages whose lease was lost before they were settled: they come again."),
    ofPubSubs(engine, "publishSeconds", "layotto_publish_duration_seconds", "From a publish's arrival to its answer."),
    ofPubSubs(engine, "brokerSeconds", "layotto_broker_publish_duration_seconds", "One publish call of the broker, with its batch."),
    ofPubSubs(engine, "processSeconds", "layotto_process_duration_seconds", "One call of the app, from the request to its verdict."),
    ofPubSubs(engine, "batchMessages", "layotto_publish_batch_messages", "Messages of one publish call of the broker."),
    {
      type: "counter",
      name: "layotto_publish_possible_duplicates_total",
      help: "Publishes tried again although the broker may have had them.",
      labels: ["pubsub"],
      read: () => [...engine.measures.pubsubs].map(([pubsub, one]) => [{ pubsub }, one.possibleDuplicates]),
    },
    {
      type: "gauge",
      name: "layotto_publish_buffer_bytes",
      help: "Bytes of publishes that wait for their brokers.",
      labels: [],
      read: () => [[{}, engine.publishBuffer.used]],
    },
    {
      type: "gauge",
      name: "layotto_publish_buffer_limit_bytes",
      help: "The most bytes of waiting publishes; past it publishes fail with RESOURCE_EXHAUSTED.",
      labels: [],
      read: () => [[{}, engine.publishBuffer.limit]],
    },
    {
      type: "gauge",
      name: "layotto_delivery_buffer_bytes",
      help: "Bytes that subscriptions may have lent beyond the first 64 KiB of each.",
      labels: [],
      read: () => [[{}, engine.deliveryBuffer.used]],
    },
    {
      type: "gauge",
      name: "layotto_delivery_buffer_limit_bytes",
      help: "The most of them; past it subscriptions read no more than they settle.",
      labels: [],
      read: () => [[{}, engine.deliveryBuffer.limit]],
    },
    ofSubscriptions(engine, "inFlight", "layotto_in_flight_messages", "Messages that are with the app now."),
    ofSubscriptions(
      engine,
      "pending",
      "layotto_pending_messages",
      "Messages lent by the broker and not settled: in flight, waiting, or backing off.",
    ),
    ofSubscriptions(engine, "window", "layotto_window_messages", "The most messages that may be pending."),
    {
      type: "gauge",
      name: "layotto_lag_messages",
      help: "Messages at the broker that the group has not settled. Absent where the broker does not say.",
      labels: READ,
      read: () => backlog(measured, ({ messages }) => messages),
    },
    {
      type: "gauge",
      name: "layotto_oldest_message_age_seconds",
      help: "Age of the oldest message that the group has not settled; 0 when there is none. Absent where the broker does not say.",
      labels: READ,
      read: () =>
        backlog(measured, ({ messages, oldestMs }) => (oldestMs === undefined ? (messages === 0 ? 0 : undefined) : oldestMs / 1_000)),
    },
    {
      type: "gauge",
      name: "layotto_subscription_state",
      help: "1 for the state that the subscription is in, 0 for the others.",
      labels: [...READ, "state"],
      read: () => engine.subscriptions.flatMap((one) => STATES.map((state) => [{ ...labelsOf(one), state }, one.state === state ? 1 : 0])),
    },
    {
      type: "gauge",
      name: "layotto_pubsub_up",
      help: "1 when the component's broker can be used, else 0.",
      labels: ["pubsub"],
      read: () => [...engine.brokers].map(([pubsub, { state }]) => [{ pubsub }, state === "up" ? 1 : 0]),
    },
    {
      type: "gauge",
      name: "layotto_publish_breaker_state",
      help: "1 for the state that the breaker of a component's publishes is in, 0 for the others. Absent where none is configured.",
      labels: ["pubsub", "state"],
      read: () =>
        [...engine.breakers].flatMap(([pubsub, one]) => BREAKER_STATES.map((state) => [{ pubsub, state }, one.state === state ? 1 : 0])),
    },
    ofCalls(calls, "requests", "grpc_request_total", "gRPC requests, by method (Layotto's name)."),
    ofCalls(calls, "succeeded", "grpc_response_succ_total", "gRPC responses without an error (Layotto's name)."),
    ofCalls(calls, "failed", "grpc_response_fail_total", "gRPC responses with an error (Layotto's name)."),
  ];
}

/** `GET /metrics`. */
export function metricsRoute(engine: Engine, calls: Calls): Routes {
  const measured: Measured = { engine, calls, backlogs: [] };
  const shown = exposition(metrics(measured));
  return {
    "GET /metrics": async () => {
      measured.backlogs = await engine.backlogs(AbortSignal.timeout(BACKLOG_MS));
      return { status: 200, text: await shown.text(), contentType: shown.contentType };
    },
  };
}

function* ofTopics(
  { measures }: Measured["engine"],
  read: (counts: PublishCounts) => Iterable<readonly [Labels, number]>,
): Iterable<readonly [Labels, number]> {
  for (const [pubsub, { topics }] of measures.pubsubs)
    for (const counts of topics.values())
      for (const [labels, value] of read(counts)) yield [{ pubsub, topic: counts.topic, ...labels }, value];
}

function ofReaders({ measures }: Measured["engine"], what: keyof ReaderCounts, name: string, help: string): Metric {
  function* read(): Iterable<readonly [Labels, number]> {
    for (const [pubsub, { readers }] of measures.pubsubs)
      for (const { topic, group, counts } of readers.values()) yield [{ pubsub, topic, group }, counts[what]];
  }
  return { type: "counter", name, help, labels: READ, read };
}

type Distribution = "publishSeconds" | "brokerSeconds" | "processSeconds" | "batchMessages";

function ofPubSubs({ measures }: Measured["engine"], what: Distribution, name: string, help: string): Metric {
  return {
    type: "histogram",
    name,
    help,
    labels: ["pubsub"],
    read: () => [...measures.pubsubs].map(([pubsub, one]) => [{ pubsub }, one[what]]),
  };
}

function ofSubscriptions(engine: Measured["engine"], what: "inFlight" | "pending" | "window", name: string, help: string): Metric {
  return { type: "gauge", name, help, labels: READ, read: () => engine.subscriptions.map((one) => [labelsOf(one), one[what]]) };
}

function ofCalls(calls: Calls, what: keyof CallCounts, name: string, help: string): Metric {
  return {
    type: "counter",
    name,
    help,
    labels: ["service"],
    read: () => [...calls].map(([service, counts]) => [{ service }, counts[what]]),
  };
}

function* backlog(
  { backlogs }: Measured,
  read: (one: Measured["backlogs"][number]) => number | undefined,
): Iterable<readonly [Labels, number]> {
  for (const one of backlogs) {
    const value = read(one);
    if (value !== undefined) yield [labelsOf(one), value];
  }
}

function labelsOf({ pubsub, topic, group }: { readonly pubsub: string; readonly topic: string; readonly group: string }): Labels {
  return { pubsub, topic, group };
}
