import type { Delivery } from "../../pubsub/delivery.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Entry, Pending } from "./model-broker.ts";
import type { ModelReader } from "./model-reader.ts";

/** A message lent to a sidecar. */
export class ModelDelivery implements Delivery {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  failures: number;
  open = true;
  readonly move?: (copy: Outgoing) => boolean;
  readonly #reader: ModelReader;
  readonly #at: number;

  constructor(reader: ModelReader, { position, data, attributes, key }: Entry, failures: number) {
    this.topic = reader.request.topic;
    this.position = String(position);
    this.data = data;
    this.attributes = attributes;
    if (key !== undefined) this.key = key;
    this.failures = failures;
    this.#reader = reader;
    this.#at = position;
    if (reader.client.broker.moves) this.move = (copy) => this.#move(copy);
  }

  ack(): boolean {
    return this.#settle(() => this.#reader.group.pending.delete(this.#at));
  }

  release(): boolean {
    if (this.#reader.request.order !== "none") return this.#holdAgain();
    return this.#settle((pending) => Object.assign(pending, { owner: undefined, until: 0 }));
  }

  keep(failures: number): void {
    if (!this.open) return;
    this.failures = failures;
    this.#ask((pending) => Object.assign(pending, { failures }));
  }

  /** In an ordered group it stays with the leader, who lends it again before what follows it; whoever leads next takes it over. */
  #holdAgain(): boolean {
    if (!this.open) return false;
    this.lose();
    return true;
  }

  lose(): void {
    this.open = false;
    this.#reader.lent.delete(this.#at);
  }

  #settle(effect: (pending: Pending) => void): boolean {
    if (!this.open) return false;
    this.open = false;
    this.#ask(effect, () => this.#reader.lent.delete(this.#at));
    return true;
  }

  /** As long as it is ours at the broker. What is not answered is asked again: that changes nothing once it was done. */
  #ask(effect: (pending: Pending) => void, answered: () => void = () => undefined): void {
    const { client, group } = this.#reader;
    client.broker.ask({
      client,
      arrives: () => {
        const pending = group.pending.get(this.#at);
        if (pending?.owner === client) effect(pending);
        return answered;
      },
      lost: () => this.#ask(effect, answered),
    });
  }

  #move(copy: Outgoing): boolean {
    if (!this.open) return false;
    const { client, group } = this.#reader;
    client.broker.ask({
      client,
      arrives: () => {
        const ours = group.pending.get(this.#at)?.owner === client;
        if (ours) {
          client.broker.store(copy);
          group.pending.delete(this.#at);
        }
        return () => {
          if (ours) this.lose();
          copy.done(ours ? undefined : new PubSubError("failed_precondition", "it is no longer ours"));
        };
      },
      lost: () => copy.done(new PubSubError("unavailable", "the reply was lost", { outcome: "unknown" })),
    });
    return true;
  }
}
