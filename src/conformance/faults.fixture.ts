import { randomUUID } from "node:crypto";
import { definition } from "../components/in-memory/index.ts";
import { systemClock } from "../pubsub/clock.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../pubsub/subscription.ts";
import type { Gap, Harness } from "./harness.ts";

/** One way to be wrong. Each member gets the sound thing and what it works on, and returns what takes its place. */
export interface Fault {
  batch?(messages: readonly Outgoing[]): readonly Outgoing[];
  publish?(message: Outgoing): Partial<Outgoing>;
  subscribe?(request: SubscribeRequest, pubsub: PubSub): Promise<SubscribeRequest> | SubscribeRequest;
  window?(messages: number): number;
  lend?(batch: readonly Delivery[]): readonly Delivery[];
  delivery?(delivery: Delivery, pubsub: PubSub): Partial<Delivery>;
  close?(sound: () => Promise<void>, pubsub: PubSub): Promise<void>;
  crash?(lent: ReadonlySet<Delivery>): void;
  /** The broker's name after a restart, given the one before. */
  restart?(broker: string): string;
}

/** Makes a fault with a memory of its own: that of one broker. */
export type MakeFault = () => Fault;

/** A component in memory that a restart does not harm, spoilt by `makeFault`. */
export function spoilt(makeFault: MakeFault = () => ({}), gaps: readonly Gap[] = []): Harness {
  let broker = randomUUID() as string;
  const fault = makeFault();
  const capabilities = { ...definition.capabilities, durable: true };
  const context = { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: systemClock };
  const clients = new WeakMap<PubSub, { readonly sound: PubSub; readonly lent: Set<Delivery> }>();
  return {
    name: "spoilt",
    capabilities,
    leaseMs: 50,
    patienceMs: 3_000,
    gaps,
    open() {
      const sound = definition.open(definition.options.parse({ broker }), context);
      const lent = new Set<Delivery>();
      const pubsub = spoil<PubSub>(faulty(sound, fault, lent), { capabilities });
      clients.set(pubsub, { sound, lent });
      return Promise.resolve(pubsub);
    },
    async crash(pubsub) {
      const client = clients.get(pubsub);
      if (!client) throw new Error("this client was not opened here");
      fault.crash?.(client.lent);
      await client.sound.close(AbortSignal.abort());
    },
    restart() {
      broker = fault.restart?.(broker) ?? broker;
      return Promise.resolve();
    },
  };
}

/** `sound`, spoilt. `lent` comes to hold what it lent. */
export function faulty(sound: PubSub, fault: Fault, lent: Set<Delivery>): PubSub {
  return spoil<PubSub>(sound, {
    publish(messages, signal) {
      const batch = fault.batch?.(messages) ?? messages;
      sound.publish(fault.publish ? batch.map((one) => changed(one, fault)) : batch, signal);
    },
    async subscribe(request, sink) {
      const subscription = await sound.subscribe(
        (await fault.subscribe?.(request, sound)) ?? request,
        faultySink(sink, sound, fault, lent),
      );
      return spoil<Subscription>(subscription, {
        window: (messages, bytes) => subscription.window(fault.window?.(messages) ?? messages, bytes),
      });
    },
    close: (signal) => (fault.close ? fault.close(() => sound.close(signal), sound) : sound.close(signal)),
  });
}

function changed(message: Outgoing, fault: Fault): Outgoing {
  return { ...message, done: (...result) => message.done(...result), ...fault.publish?.(message) };
}

function faultySink(sink: Sink, pubsub: PubSub, fault: Fault, lent: Set<Delivery>): Sink {
  const shown = new WeakMap<Delivery, Delivery>();
  const show = (delivery: Delivery) => {
    const one = shown.get(delivery) ?? spoil(delivery, fault.delivery?.(delivery, pubsub) ?? {});
    shown.set(delivery, one);
    lent.add(delivery);
    return one;
  };
  return {
    deliver: (batch) => sink.deliver((fault.lend?.(batch) ?? batch).map(show)),
    revoking: (batch, deadline) => sink.revoking(batch.map(show), deadline),
    lost: (batch, error) => sink.lost(batch.map(show), error),
    interrupted: (error) => sink.interrupted(error),
  };
}

/** `sound`, but for the members of `change`. */
export function spoil<T extends object>(sound: T, change: Partial<T>): T {
  return new Proxy(sound, {
    get(target, name) {
      if (Object.hasOwn(change, name)) return Reflect.get(change, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** By what it does: how it is wrong, the one behaviour of components that must find it, and the one of the engine, which rests on that, if any. */
export const FAULTS: Readonly<Record<string, { readonly make: MakeFault; readonly foundBy: string; readonly feltBy?: string }>> = {
  "acks early": {
    make: () => ({
      crash: (lent) => {
        for (const delivery of lent) if (delivery.key === undefined) delivery.ack();
      },
    }),
    foundBy: "D2: what a dead reader did not settle comes again, to another",
  },
  "loses a retry": {
    make: () => ({ delivery: (sound) => ({ retry: (ms, failures) => (ms > 100 ? sound.ack() : (sound.retry?.(ms, failures) ?? false)) }) }),
    foundBy: "D3: a delayed retry comes after its delay, with its failures, and holds up no other message",
  },
  "delivers twice at once": {
    make: () => ({ lend: (batch) => (batch.length > 40 ? [...batch, ...batch.slice(-1)] : batch) }),
    foundBy: "D5: readers of one group share its messages, and none is lent twice",
  },
  "reorders a key": {
    make() {
      let byKey = false;
      return {
        subscribe(request) {
          byKey = request.order === "key";
          return request;
        },
        delivery: (sound, pubsub) => ({
          release() {
            const { topic, key, data, attributes } = sound;
            if (key === undefined || !byKey) return sound.release();
            pubsub.publish([{ topic, key, data, attributes, done: () => undefined }], AbortSignal.timeout(1_000));
            return sound.ack();
          },
        }),
      };
    },
    foundBy: "D6: messages of a key come one after the other, in their order, also after one was given back or failed",
    feltBy: "D6: with order: key, the sidecar that follows one that stopped in a retry goes on with that message, then those after it",
  },
  "blocks other keys": {
    make: () => ({ subscribe: (request) => ({ ...request, order: request.order === "none" ? "none" : "topic" }) }),
    foundBy: "D6: a key that waits holds up no other, and no message without a key",
    feltBy:
      "D6: with order: key, the app gets a key's next message only when the one before it is settled, through its retries; other keys go on",
  },
  "exceeds its window": {
    make: () => ({ window: (messages) => 2 * messages }),
    foundBy: "D7: no more messages are lent than the window allows",
  },
  "drops metadata": {
    make: () => ({
      publish: ({ attributes }) => ({
        attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => /^[\w-]+$/.test(name))),
      }),
    }),
    foundBy: "D12: attributes arrive, whatever their names and values",
  },
  "alters bytes": {
    make: () => ({ publish: ({ data }) => ({ data: data.map((byte) => (byte === 0xff ? 0xfe : byte)) }) }),
    foundBy: "D11: bytes arrive as they were sent: every value, none, four million",
  },
  "forgets on restart": {
    make: () => ({ restart: () => randomUUID() }),
    foundBy: "D1: messages and groups outlive a crash of the broker",
  },
  "shares between groups": {
    make() {
      let reading = "";
      let acked: { readonly group: string; readonly position: number } | undefined;
      return {
        async subscribe(request, pubsub) {
          const { topic, group } = request;
          reading = group;
          const known = await pubsub.admin?.groups?.(topic);
          if (acked && acked.group !== group && known?.some((one) => one.group === group))
            await pubsub.admin?.seek?.(topic, group, { position: String(acked.position + 1) });
          return request;
        },
        delivery: (sound) => ({
          ack() {
            acked = { group: reading, position: Number(sound.position) };
            return sound.ack();
          },
        }),
      };
    },
    foundBy: "D2: each group gets every message, whatever the others settled",
  },
  "settles twice": {
    make: () => ({
      delivery(sound) {
        let acked = false;
        return {
          ack() {
            const first = sound.ack();
            acked ||= first;
            return acked;
          },
        };
      },
    }),
    foundBy: "D2: the first settlement of a delivery wins",
  },
  "hangs on close": {
    make() {
      const closed = new WeakSet<PubSub>();
      return {
        close(sound, pubsub) {
          if (closed.has(pubsub)) return new Promise(() => undefined);
          closed.add(pubsub);
          return sound();
        },
      };
    },
    foundBy: "D8: closing ends every reader, may be repeated, and nothing can be opened after it",
  },
};
