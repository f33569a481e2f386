import type { Start } from "../../pubsub/subscription.ts";
import { keepGroup } from "./broadcast.ts";
import type { Reply } from "./connection.ts";
import { compareIds, idBefore, ZERO } from "./id.ts";
import type { Lead } from "./lead.ts";
import type { Member } from "./member.ts";
import type { Node } from "./node.ts";
import { join, leave, rejoin, signOfLife, standing } from "./scripts.ts";
import { startId } from "./start.ts";

/** A reader's place in its group: how it comes, shows that it is there, and goes. Every method rejects with a PubSubError. */
export class Membership {
  readonly #member: Member;
  readonly #lead: Lead | undefined;
  readonly #expiresAfterMs: number | undefined;
  readonly #touched: () => void;
  /** At the last sign of life all messages up to here were acknowledged, whoever had them. */
  #floor = ZERO;

  /** `expiresAfterMs`: the group goes so long after its last reader; `touched` is called whenever that may be. */
  constructor(member: Member, lead: Lead | undefined, expiresAfterMs: number | undefined, touched: () => void) {
    this.#member = member;
    this.#lead = lead;
    this.#expiresAfterMs = expiresAfterMs;
    this.#touched = touched;
  }

  /** Resolves to the id up to which the group has read. */
  async join(node: Node, start: Start): Promise<string> {
    const { topic, group, consumer, options } = this.#member;
    const itself = this.#lead ? [] : [consumer, String(options.lease)];
    const position = await join.run(node.read, [topic], group, startId(start), ...itself);
    await this.#lead?.check(node);
    await this.#see(node);
    await this.#keepGroup(node, options.lease);
    return String(position);
  }

  /**
   * The group vanished, and what stood pending in it with it: with us, with others, with nobody. It goes on where all of that comes again.
   * Resolves to the id up to which it has read now.
   */
  async rejoin(node: Node): Promise<string> {
    const position = String(await rejoin.run(node.read, [this.#member.topic], this.#member.group, this.#floor));
    if (compareIds(position, this.#floor) < 0) this.#floor = position;
    return position;
  }

  /** A sign of life. */
  async beat(): Promise<void> {
    const { node, topic, group, consumer, options } = this.#member;
    if (!node?.read.up) return;
    if (this.#lead) await this.#lead.renew();
    else await signOfLife.run(node.read, [topic], group, consumer, String(options.lease));
    await this.#see(node);
    await this.#keepGroup(node, options.lease);
  }

  /** `resigning`: another may have the lead. */
  async leave(resigning: boolean): Promise<void> {
    const { node, topic, group, consumer } = this.#member;
    if (!node?.read.up) return;
    if (!this.#lead) await leave.run(node.read, [topic], group, consumer);
    else if (resigning) await this.#lead.giveUp();
    await this.#keepGroup(node, 0);
  }

  async #see(node: Node): Promise<void> {
    const [position, lowest] = (await standing.run(node.read, [this.#member.topic], this.#member.group)) as readonly [Reply, Reply];
    this.#floor = lowest === null ? String(position) : lower(String(position), idBefore(String(lowest)));
  }

  async #keepGroup(node: Node, moreMs: number): Promise<void> {
    if (this.#expiresAfterMs === undefined) return;
    await keepGroup(node.read, this.#member.topic, this.#member.group, this.#expiresAfterMs + moreMs);
    this.#touched();
  }
}

/** A group that was moved back reads again what is before its lowest. */
const lower = (a: string, b: string): string => (compareIds(a, b) < 0 ? a : b);
