import { PubSubError } from "../../pubsub/error.ts";
import type { Claimed } from "./claims.ts";
import type { Command, Reply, ReplyCallback } from "./connection.ts";
import { isNoScript } from "./errors.ts";
import { others, position, readOn, resign, resume, stayLeader, take } from "./lead-scripts.ts";
import { CONSUMER_PREFIX, LEADER, type Member } from "./member.ts";
import type { Node } from "./node.ts";
import type { Read } from "./reading.ts";
import { leave } from "./scripts.ts";
import { keyBeside } from "./slot.ts";

/** A reader that wants a group's lead, or has it. */
export interface Candidate extends Member {
  /** The group has read up to here. */
  position: string;
  /** What is with us, by its position. */
  readonly known: ReadonlySet<string>;
  /** There may be something to take. */
  goOn(): void;
  /** For a whole lease the server has not heard of us. Another may have the lead. */
  expired(): void;
}

/** Where a page of what stands pending begins. */
const START = "-";

/**
 * The right to read a group in order, which one reader has at a time. It ends with its key, which is renewed by reading and with the
 * heartbeat. Whoever gets it takes everything that stands pending, in order, before it reads on; each time it does so as a new consumer,
 * so that no command of an earlier time can still do anything.
 */
export class Lead {
  readonly key: string;
  readonly #candidate: Candidate;
  readonly #base: string;
  #state: "none" | "held" | "leaving" = "none";
  #term = 1;
  /** Where the next page of what stands pending begins. Undefined: all of it was taken. */
  #after: string | undefined;
  /** Until then, by the monotonic clock, nobody else can have it. */
  #until = 0;
  #cancelWatch: () => void = () => undefined;
  #left: Promise<void> = Promise.resolve();
  /** Why it cannot be taken although nobody has it. */
  obstacle: PubSubError | undefined;

  /** `base`: begins the names of its consumers; no other reader's does. */
  constructor(candidate: Candidate, base: string) {
    this.key = keyBeside(candidate.topic, `lead:${candidate.group}`);
    this.#candidate = candidate;
    this.#base = base;
  }

  /** Of this time, or of the next when it has no lead. */
  get consumer(): string {
    return `${this.#base}${LEADER}${this.#term}`;
  }

  /** Also while it is being given up. */
  get has(): boolean {
    return this.#state !== "none";
  }

  /** As far as this process knows. One that was stopped for a while finds out here first. */
  get held(): boolean {
    return this.#state === "held" && this.#candidate.clock.elapsed() < this.#until;
  }

  /** There may be pending messages that must be taken first. */
  get resumes(): boolean {
    return this.#after !== undefined && this.held;
  }

  /** Rejects when a consumer that would read past a leader is at work in the group. */
  async check(node: Node): Promise<void> {
    const { topic, group, options } = this.#candidate;
    const args = [group, String(options.lease), String(options.processingTimeout)];
    const name = await others.run(node.read, [topic], ...args);
    if (name) throw this.#obstructed(String(name), true);
  }

  /** Takes the lead if it is free, then up to `room` messages of those that stand pending. Rejects with a PubSubError. */
  async look(room: number): Promise<readonly Claimed[]> {
    if (!this.has) await this.#take();
    return this.resumes ? this.#page(room) : [];
  }

  /**
   * Reads what is new, and asks in the same step whether the lead is ours and where the group stood before. When either is not as it should
   * be, what was read stays pending: with the lead, we take it from there in its turn, and without, the leader does, who finds that somebody
   * read. A script that reads is simpler, and costs the server three times as much for each message: it is for a full one, which takes no
   * MULTI, and for a user who may not use that.
   */
  readonly read: Read = (node, count, callback) => {
    const { topic, group, clock, options } = this.#candidate;
    const keys = [topic, this.key];
    const args = [group, this.consumer, String(options.lease)];
    const sentAt = clock.elapsed();
    if (!node.read.transacts) {
      this.#readByScript(node, count, callback);
      return;
    }
    const read: Command = ["xreadgroup", ["GROUP", group, this.consumer, "COUNT", String(count), "STREAMS", topic, ">"]];
    node.read.together([position.command(keys, args), read], (error, [before = null, rows = null]) => {
      const failed = error ?? [before, rows].find((one) => one instanceof PubSubError);
      if (isNoScript(failed)) position.send(node.read, keys, args, (why, now) => this.#pendingFirst(why, now, callback));
      else if (failed?.code === "resource_exhausted") this.#readByScript(node, count, callback);
      else if (failed) callback(failed, null);
      else {
        this.#renewed(sentAt);
        if (String(before) === this.#candidate.position && node.read.transacts) callback(undefined, rows as Reply);
        else this.#pendingFirst(undefined, lastOf(rows as Reply) ?? (before as Reply), callback);
      }
    });
  };

  #readByScript(node: Node, count: number, callback: ReplyCallback): void {
    const { topic, group, clock, options, position: expected } = this.#candidate;
    const sentAt = clock.elapsed();
    const args = [group, this.consumer, String(options.lease), String(count), expected];
    readOn.send(node.read, [topic, this.key], args, (error, reply) => {
      if (!error) this.#renewed(sentAt);
      if (Buffer.isBuffer(reply)) this.#pendingFirst(undefined, reply, callback);
      else callback(error, reply);
    });
  }

  /** Somebody else read or moved the group, or a reply to us was lost: what stands pending comes before anything after `now`. */
  #pendingFirst(error: PubSubError | undefined, now: Reply, callback: ReplyCallback): void {
    if (!error) {
      this.#candidate.position = String(now);
      this.#after = START;
    }
    callback(error, null);
    if (!error) this.#candidate.goOn();
  }

  async renew(): Promise<void> {
    const { node, topic, group, clock, options } = this.#candidate;
    if (!this.has || !node?.read.up) return;
    const sentAt = clock.elapsed();
    await stayLeader.run(node.read, [topic, this.key], group, this.consumer, String(options.lease));
    this.#renewed(sentAt);
  }

  /** Nothing more is read or lent: it will be given up. */
  prepareToLeave(): void {
    if (this.held) this.#state = "leaving";
  }

  /** Gives it up: the next may take it at once. */
  giveUp(): Promise<void> {
    if (this.has) this.#left = this.#giveUp();
    return this.#left;
  }

  /** It is another's, or nobody's. */
  lose(): void {
    if (!this.has) return;
    this.#state = "none";
    this.#term += 1;
    this.#after = undefined;
    this.#cancelWatch();
  }

  async #giveUp(): Promise<void> {
    const { consumer } = this;
    const { node, topic, group } = this.#candidate;
    this.lose();
    if (!node?.read.up) return;
    await Promise.all([resign.run(node.read, [topic, this.key], group, consumer), leave.run(node.read, [topic], group, consumer)]);
  }

  async #take(): Promise<void> {
    const { node, topic, group, clock, options } = this.#candidate;
    if (!node?.read.up) return;
    const sentAt = clock.elapsed();
    const args = [group, this.consumer, String(options.lease), String(options.processingTimeout)];
    const reply = await take.run(node.read, [topic, this.key], ...args);
    const name = Array.isArray(reply) ? String((reply as readonly Reply[])[0]) : undefined;
    this.obstacle = name === undefined ? undefined : this.#obstructed(name, false);
    if (!Buffer.isBuffer(reply)) return;
    this.#state = "held";
    this.#after = START;
    this.#candidate.position = String(reply);
    this.#renewed(sentAt);
    this.#watch();
  }

  async #page(room: number): Promise<readonly Claimed[]> {
    const { node, topic, group, known, clock, options } = this.#candidate;
    const after = this.#after;
    if (!node?.read.up || after === undefined) return [];
    const { consumer } = this;
    const sentAt = clock.elapsed();
    const args = [String(options.lease), after, String(room), String(options.consumerRetention)];
    const reply = await resume.run(node.read, [topic, this.key], group, consumer, ...args);
    // Given up meanwhile: the next leader takes them.
    if (!this.held || consumer !== this.consumer) return [];
    this.#renewed(sentAt);
    const [next, last, found] = reply as readonly [Buffer, number, readonly (readonly [readonly Reply[], number])[]];
    this.#after = last === 1 ? undefined : String(next);
    const unknown = found.filter(([row]) => !known.has(String(row[0])));
    return unknown.map(([row, failures]) => ({ row, failures }));
  }

  #renewed(sentAt: number): void {
    this.#until = Math.max(this.#until, sentAt + this.#candidate.options.lease);
  }

  /** The server may be out of reach, or this process may have been stopped: whatever the cause, a lease that was not renewed is over. */
  #watch(): void {
    const { clock } = this.#candidate;
    this.#cancelWatch = clock.after(Math.max(1, this.#until - clock.elapsed()), () => {
      if (clock.elapsed() < this.#until) this.#watch();
      else this.#candidate.expired();
    });
  }

  #obstructed(name: string, opening: boolean): PubSubError {
    const { topic, group, options } = this.#candidate;
    const foreign = !name.startsWith(CONSUMER_PREFIX);
    const found = foreign
      ? `${name}, a consumer of another program, was active there within ${options.processingTimeout} ms`
      : `${name} of ours reads there without order, and was active within ${options.lease} ms`;
    const remedy = foreign ? "end that program, or give it another group" : "all its readers must ask for the same order";
    return new PubSubError("failed_precondition", `the group ${group} on ${topic} cannot be read in order: ${found}; ${remedy}`, {
      permanent: opening && foreign,
    });
  }
}

/** The id of the last entry that XREADGROUP brought. */
function lastOf(rows: Reply): Reply | undefined {
  if (rows === null) return undefined;
  const [[, entries]] = rows as readonly [readonly [Reply, readonly (readonly Reply[])[]]];
  return entries.at(-1)?.[0];
}
