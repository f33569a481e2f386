import type { Clock } from "../../pubsub/clock.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import { ModelClient } from "./model-client.ts";
import type { ModelReader } from "./model-reader.ts";
import type { Fate } from "./stage.ts";

export interface Entry {
  readonly position: number;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | undefined;
}

export interface Pending {
  owner: ModelClient | undefined;
  until: number;
  failures: number;
}

export interface Group {
  cursor: number;
  readonly pending: Map<number, Pending>;
  lead: { readonly reader: ModelReader; until: number } | undefined;
}

/** A request on its way to the broker. */
interface Step {
  readonly client: ModelClient;
  /** At the broker. What it returns is told to the client. */
  readonly arrives: () => () => void;
  readonly lost: () => void;
}

/**
 * The least broker that has all the traps: leases that run out, an ordered group with one leader, requests and replies that are lost, clients
 * that die, and clients that stand still and go on as if nothing were. Every request waits until the test says what becomes of it.
 */
export class ModelBroker {
  readonly clock: Clock;
  /** Whether it can move a message in one step. */
  readonly moves: boolean;
  readonly topics = new Map<string, { readonly entries: Entry[]; readonly groups: Map<string, Group> }>();
  readonly clients = new Set<ModelClient>();
  #steps: Step[] = [];

  constructor(clock: Clock, moves: boolean) {
    this.clock = clock;
    this.moves = moves;
  }

  connect(): ModelClient {
    const client = new ModelClient(this);
    this.clients.add(client);
    return client;
  }

  get waiting(): number {
    return this.#steps.length;
  }

  topic(name: string) {
    const topic = this.topics.get(name) ?? { entries: [], groups: new Map<string, Group>() };
    this.topics.set(name, topic);
    return topic;
  }

  group({ topic, group }: Pick<SubscribeRequest, "topic" | "group">): Group {
    const { groups } = this.topic(topic);
    const found = groups.get(group) ?? { cursor: 0, pending: new Map(), lead: undefined };
    groups.set(group, found);
    return found;
  }

  store({ topic, data, attributes, key }: Outgoing): number {
    const { entries } = this.topic(topic);
    entries.push({ position: entries.length, data: Uint8Array.from(data), attributes: { ...attributes }, key });
    return entries.length - 1;
  }

  ask(step: Step): void {
    // The dead ask for nothing.
    if (!step.client.dead) this.#steps.push(step);
  }

  /** Decides over the oldest request of a client that is not standing still. */
  step(fate: Fate): void {
    const at = this.#steps.findIndex(({ client }) => !client.frozen);
    const [step] = at < 0 ? [] : this.#steps.splice(at, 1);
    if (!step) return;
    if (fate === "request lost") step.lost();
    else {
      const reply = step.arrives();
      if (fate === "answered") reply();
      else step.lost();
    }
  }

  /** The client dies: `arriving` of its requests still reach the broker, the others do not; nothing is answered. */
  kill(client: ModelClient, arriving: number): void {
    const own = this.#steps.filter((step) => step.client === client);
    this.#steps = this.#steps.filter((step) => step.client !== client);
    for (const step of own.slice(0, arriving)) step.arrives();
    client.dead = true;
    this.clients.delete(client);
  }
}
