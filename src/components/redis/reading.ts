import { asPubSubError } from "../../pubsub/error.ts";
import type { Reply, ReplyCallback } from "./connection.ts";
import type { Watcher } from "./doorbell.ts";
import { compareIds, ZERO } from "./id.ts";
import type { Member } from "./member.ts";
import type { Node } from "./node.ts";
import { standing } from "./scripts.ts";

/** Sends the command that reads up to `count` new messages. */
export type Read = (node: Node, count: number, callback: ReplyCallback) => void;

/** A read that brings so many tells of a busy stream. */
const BUSY_ROWS = 8;
/** It is read again with the next settlements, and so soon at the latest. */
const BUSY_MS = 2;

/** Reads what the group has not read yet: at once while there is more, else when the doorbell rings. */
export class Reading implements Watcher {
  readonly stream: string;
  /** The group has read up to here, as far as we know. */
  position = ZERO;
  readonly #member: Member;
  readonly #room: () => number;
  readonly #send: Read;
  readonly #arrived: (rows: readonly (readonly Reply[])[], since: number) => void;
  #cancelRead: () => void = () => undefined;
  #reading = false;
  /** There may be entries that the group has not read. After a read that brought less than it asked for there are none: the doorbell tells of new ones. */
  #more = true;
  /** The last read brought many: the next one need not wait for the doorbell. */
  #busy = false;
  /** The doorbell rang, and nothing was read since. */
  #rung = false;
  #readEnded: () => void = () => undefined;
  #stopped = false;

  /** `room`: how many to ask for now. `arrived` gets what came, and when it was asked for. */
  constructor(member: Member, room: () => number, send: Read, arrived: (rows: readonly (readonly Reply[])[], since: number) => void) {
    this.stream = member.topic;
    this.#member = member;
    this.#room = room;
    this.#send = send;
    this.#arrived = arrived;
  }

  /** Resolves when no read is under way. */
  get quiet(): Promise<void> {
    return this.#reading ? new Promise((resolve) => (this.#readEnded = resolve)) : Promise.resolve();
  }

  /** The doorbell: there may be something after `position`. */
  ring(): void {
    this.#rung = true;
    this.again();
  }

  /** There may be more than we know of. */
  again(): void {
    this.#more = true;
    this.read();
  }

  /** With what leaves in this turn of the event loop, if the stream is busy. */
  along(): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#cancelRead();
    this.again();
  }

  /** Reads if there may be something and there is room for it. */
  read(): void {
    if (!this.#more || this.#stopped || this.#reading) return;
    const { node, clock } = this.#member;
    const room = this.#room();
    if (room === 0 || !node?.read.up) return;
    this.#reading = true;
    node.doorbells.forget(this);
    const since = clock.elapsed();
    this.#send(node, room, (error, reply) => {
      this.#reading = false;
      this.#readEnded();
      if (error) this.#member.failed(error);
      else if (reply === null) this.#nothingCame(node);
      else this.#came((reply as readonly [readonly [Reply, readonly (readonly Reply[])[]]])[0][1], room, since, node);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRead();
    this.#member.node?.doorbells.forget(this);
  }

  #came(rows: readonly (readonly Reply[])[], room: number, since: number, node: Node): void {
    this.#rung = false;
    this.#more = rows.length === room;
    // The last is the greatest.
    const last = String(rows[rows.length - 1]?.[0]);
    if (compareIds(last, this.position) > 0) this.position = last;
    this.#arrived(rows, since);
    if (this.#more) this.read();
    else if (rows.length >= BUSY_ROWS) this.#readSoon();
    else this.#wait(node);
  }

  /** A busy stream needs no doorbell: in a moment there is more, and one command is cheaper than two. */
  #readSoon(): void {
    this.#busy = true;
    this.#cancelRead();
    this.#cancelRead = this.#member.clock.after(BUSY_MS, () => this.along());
  }

  #nothingCame(node: Node): void {
    this.#more = false;
    // It rang for what others have read: it must not ring for that again.
    if (this.#rung) void this.#catchUp(node);
    else this.#wait(node);
  }

  async #catchUp(node: Node): Promise<void> {
    this.#rung = false;
    const { topic, group } = this.#member;
    try {
      const [now] = (await standing.run(node.read, [topic], group)) as readonly Reply[];
      const position = String(now);
      if (compareIds(position, this.position) > 0) this.position = position;
      this.#wait(node);
    } catch (error) {
      this.#member.failed(asPubSubError(error));
    }
  }

  #wait(node: Node): void {
    if (!this.#stopped && !this.#reading && !this.#more && this.#member.node === node) node.doorbells.wait(this);
  }
}
