import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import type { Sink } from "../../pubsub/subscription.ts";
import type { Lead } from "./lead.ts";
import type { Lease } from "./lease.ts";
import type { Lending } from "./lending.ts";

/** Who has the lead, or wants it. */
export interface Leader {
  readonly sink: Sink;
  /** It is closed, or dead: nobody is told any more. */
  readonly over: boolean;
  failed(error: PubSubError): void;
  /** There may be a lead to take. */
  lookSoon(): void;
}

/** How a reader parts with the lead, and with what came with it. */
export class Handover {
  readonly #lead: Lead;
  readonly #lending: Lending;
  readonly #leader: Leader;

  constructor(lead: Lead, lending: Lending, leader: Leader) {
    this.#lead = lead;
    this.#lending = lending;
    this.#leader = leader;
  }

  /** Nothing is lent, and nothing may be: another reader of the group shall have its messages. */
  async stepDown(): Promise<void> {
    this.#lead.prepareToLeave();
    this.#lending.giveBackHeld();
    try {
      await this.#lending.settlements.flushed();
      await this.#lead.giveUp();
    } catch (error) {
      this.#leader.failed(asPubSubError(error));
    }
    if (!this.#lending.paused) this.#leader.lookSoon();
  }

  /** The lead is another's, or may be: nothing that came with it is ours. */
  lose(error: PubSubError): void {
    if (!this.#lead.has) return;
    this.#lead.lose();
    this.#drop([], error);
  }

  /** `lost` will come again. What is lent behind it must not go on before that: all of it comes again, in order, to whoever leads then. */
  async startOver(lost: readonly Lease[], error: PubSubError): Promise<void> {
    const resigned = this.#lead.giveUp();
    this.#drop(lost, error);
    try {
      await resigned;
    } catch (why) {
      this.#leader.failed(asPubSubError(why));
    }
    this.#leader.lookSoon();
  }

  #drop(lost: readonly Lease[], error: PubSubError): void {
    const all = [...lost, ...this.#lending.clear()];
    this.#lending.settlements.drop();
    if (all.length > 0 && !this.#leader.over) this.#leader.sink.lost(all, error);
  }
}
