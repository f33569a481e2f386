import type { AppCalls, AppEvent, VerdictReceiver } from "../app/channel.ts";
import { wrap } from "../cloudevents/wrap.ts";
import { POLICY } from "../conformance/engine/policy.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import type { Subscription } from "../pubsub/subscription.ts";
import type { DeliveryPolicy } from "../resiliency/policy.ts";
import { Reader } from "./deliver.ts";
import type { ReaderOptions, Shared } from "./reader-options.ts";

/** How a message is lent. */
export interface Lending {
  readonly data?: Uint8Array;
  readonly key?: string;
  readonly failures?: number;
  readonly expiresAt?: number;
  /** The broker can delay it. */
  readonly retry?: boolean;
  /** The broker keeps no count of failures. */
  readonly uncounted?: boolean;
  readonly move?: NonNullable<Delivery["move"]>;
}

/** An app whose calls the test answers, and a broker that writes down what is settled. */
export function setUp(policy: Partial<DeliveryPolicy> = {}, options: Partial<ReaderOptions> = {}, shared?: Shared) {
  const clock = new SteppedClock(0);
  const calls: { readonly event: AppEvent; readonly receiver: VerdictReceiver; cancelled: boolean }[] = [];
  const listeners = new Set<(reachable: boolean) => void>();
  const app = { reachable: true };
  const channel: AppCalls = {
    get reachable() {
      return app.reachable;
    },
    get awayBecause() {
      return app.reachable ? undefined : "the app cannot be reached";
    },
    onReachable: (fn) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    deliver: (event, receiver) => {
      const call = { event, receiver, cancelled: false };
      calls.push(call);
      return () => {
        call.cancelled = true;
      };
    },
  };
  const log: string[] = [];
  const windows: number[] = [];
  const reader = new Reader(
    channel,
    clock,
    {
      pubsub: "redis",
      group: "g",
      order: "none",
      rawPayload: false,
      ...options,
      policy: { ...POLICY, ...policy },
    },
    shared,
  );
  reader.use({ window: (messages: number) => windows.push(messages) } as unknown as Subscription);
  const lend = (name: string, more: Lending = {}): Delivery => {
    const expiry = more.expiresAt === undefined ? {} : { expiresAt: more.expiresAt };
    const settle = (what: string) => {
      log.push(`${what} ${name}`);
      return true;
    };
    const delivery: Delivery = {
      topic: "t",
      position: name,
      data: more.data ?? wrap({ id: name, topic: "t", pubsub: "redis", contentType: "", data: Buffer.from(name), ...expiry }),
      attributes: { mykey: "v" },
      ...(more.key === undefined ? {} : { key: more.key }),
      ...(more.failures === undefined ? {} : { failures: more.failures }),
      ...(more.move === undefined ? {} : { move: more.move }),
      ack: () => settle("ack"),
      release: () => settle("release"),
      ...(!more.uncounted && { keep: (failures: number) => void settle(`keep ${failures}`) }),
      ...(more.retry ? { retry: (delay: number, failures: number) => settle(`retry ${delay} ${failures}`) } : {}),
    };
    reader.deliver([delivery]);
    return delivery;
  };
  const reach = (reachable: boolean) => {
    app.reachable = reachable;
    for (const listener of listeners) listener(reachable);
  };
  const ids = () => calls.map((call) => call.event.id).join("");
  /** Ends the last call with this event. */
  const answer = (name: string, ...verdict: Parameters<VerdictReceiver["verdict"]>) => {
    const call = calls.findLast(({ event }) => event.id === name);
    if (!call) throw new Error(`${name} was not called`);
    call.receiver.verdict(...verdict);
  };
  return { clock, calls, reader, log, windows, lend, reach, ids, answer };
}
