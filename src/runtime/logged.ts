import type { AppSubscription } from "../app/channel.ts";
import type { EngineEvents } from "../engine/engine.ts";
import type { BrokerStatus } from "../engine/guarded.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { NowAndThen } from "./now-and-then.ts";
import type { Remembered } from "./remembered.ts";

/** An app's error may be long, and so may a publisher's id. */
const MOST_CHARACTERS = 200;

/** Writes down what happens in the engine, and remembers what the app subscribed to. */
export function logged(log: Logger, remembered: Remembered, clock: Clock): EngineEvents {
  const often = new NowAndThen(clock);
  /** Each at level debug, and now and then what came to be at level warn. */
  const message = (what: string, { pubsub, topic }: AppSubscription, id: string, reason: string) => {
    const which = { pubsub, topic, id: id.slice(0, MOST_CHARACTERS), reason: reason.slice(0, MOST_CHARACTERS) };
    log.debug(which, `a message ${what}`);
    often.happened(JSON.stringify([what, pubsub, topic]), (messages) =>
      log.warn({ ...which, messages }, `messages ${what}; told of at most once a minute, with the last one's id and reason`),
    );
  };
  let canRemember = true;
  let unanswered: string | undefined;
  const remember = (what: "add" | "remove", subscription: AppSubscription) => {
    try {
      remembered[what](subscription);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (canRemember)
        log.warn({ reason }, "what the app subscribes to cannot be remembered; at the next start its groups exist once it is back");
      canRemember = false;
    }
  };
  return {
    subscribed(subscription, declared) {
      const { pubsub, topic } = subscription;
      log.info({ pubsub, topic }, "subscribed");
      // What is declared stands in the configuration, with a group and a start of its own, for as long as it is wanted.
      if (!declared) remember("add", subscription);
    },
    unsubscribed(subscription) {
      const { pubsub, topic } = subscription;
      log.warn({ pubsub, topic }, "the app no longer subscribes; its group stays at the broker");
      remember("remove", subscription);
    },
    unknownPubSub: ({ pubsub, topic }, known) =>
      log.error({ pubsub, topic, configured: known }, "the app subscribes to a pubsub that is not configured: nothing is read for it"),
    broker: (pubsub, status, before) => logBroker(log, pubsub, status, before),
    appUnanswered(reason) {
      if (reason === unanswered) return;
      if (reason === undefined) log.info("the app says what it subscribes to");
      else log.warn({ reason }, "the app does not say what it subscribes to; asking until it does");
      unanswered = reason;
    },
    failed: (subscription, id, reason) => message("failed", subscription, id, reason),
    deadLettered: (subscription, id, reason) => message("ended in the dead-letter topic", subscription, id, reason),
    lost: ({ pubsub, topic }, messages, reason) =>
      log.warn({ pubsub, topic, messages, reason }, "leases were lost; the messages come again"),
    trouble: (what) => log.error(what),
  };
}

function logBroker(log: Logger, pubsub: string, { state, reason, findings }: BrokerStatus, before: BrokerStatus): void {
  if (state !== before.state || reason !== before.reason) {
    if (state === "unreachable") log.warn({ pubsub, reason }, "the broker cannot be reached; trying again");
    else if (state === "refused") {
      const ids = findings.filter(({ level }) => level === "refuse").map(({ id }) => id);
      log.error({ pubsub, reason, findings: ids }, "the broker is not used until this is mended");
    } else log.info({ pubsub }, "the broker is up");
  }
  const told = new Set(before.findings.map(({ found }) => found));
  for (const { level, id, found, remedy } of findings) if (level === "warn" && !told.has(found)) log.warn({ pubsub, id, remedy }, found);
}
