import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Start, SubscribeRequest } from "../../pubsub/subscription.ts";
import { Group } from "./group.ts";

/** A message that is kept. */
export interface Entry {
  readonly position: number;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  readonly publishedAt: number;
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
  readonly size: number;
  /** Groups that are not done with it. It goes when the last one is. */
  groups: number;
}

/** The messages of one topic, in the order in which they came, and the groups that read them. */
export class TopicLog {
  readonly name: string;
  readonly clock: Clock;
  readonly entries = new Map<number, Entry>();
  readonly groups = new Map<string, Group>();
  /** The position that the next message gets. */
  next = 1;
  readonly #freed: (bytes: number) => void;

  constructor(name: string, clock: Clock, freed: (bytes: number) => void) {
    this.name = name;
    this.clock = clock;
    this.#freed = freed;
  }

  get first(): number {
    for (const position of this.entries.keys()) return position;
    return this.next;
  }

  append(message: Outgoing, size: number): Entry {
    const entry: Entry = {
      position: this.next++,
      data: message.data.slice(),
      attributes: { ...message.attributes },
      key: message.key,
      publishedAt: this.clock.now(),
      expiresAt: message.expiresAt,
      notBefore: message.notBefore,
      size,
      groups: this.groups.size,
    };
    this.entries.set(entry.position, entry);
    for (const group of this.groups.values()) group.wake();
    return entry;
  }

  group({ group: name, start, order, expiresAfterMs }: SubscribeRequest): Group {
    let group = this.groups.get(name);
    if (!group) {
      group = new Group(name, this, this.positionOf(start), expiresAfterMs);
      this.groups.set(name, group);
      this.retain(group.cursor, this.next);
    }
    if (group.consumers === 0) group.order = order;
    return group;
  }

  positionOf(start: Start): number {
    if (start === "earliest") return this.first;
    if (start === "latest") return this.next;
    if ("position" in start) return Math.min(Math.max(positionFrom(start.position), 1), this.next);
    for (const entry of this.entries.values()) if (entry.publishedAt >= start.time) return entry.position;
    return this.next;
  }

  /** One more group waits for the messages from `from` up to `to`, without it. */
  retain(from: number, to: number): void {
    for (let position = from; position < to; position++) {
      const entry = this.entries.get(position);
      if (entry) entry.groups += 1;
    }
  }

  /** One group is done with the message at `position`. */
  done(position: number): void {
    const entry = this.entries.get(position);
    if (!entry) return;
    entry.groups -= 1;
    if (entry.groups <= 0) this.remove(position);
  }

  remove(position: number): void {
    const entry = this.entries.get(position);
    if (entry && this.entries.delete(position)) this.#freed(entry.size);
  }
}

/** Positions are whole numbers. Throws for what only another broker can have given. */
export function positionFrom(text: string): number {
  const position = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(position)) return position;
  throw new PubSubError("invalid_argument", `position ${JSON.stringify(text)} is not a whole number`, { permanent: true });
}
