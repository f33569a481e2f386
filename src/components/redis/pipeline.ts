import type { Socket } from "node:net";
import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { type Argument, CommandWriter, type Reply, ReplyReader, RespError, RespSyntaxError } from "./resp.ts";

/** A link so slow, in bytes a second, is still a link: what waits to be sent is given that much time more. */
const SLOW = 2 ** 20;

export type ReplyCallback = (error: PubSubError | undefined, reply: Reply) => void;

/** A command that waits for its reply. */
interface Asked {
  readonly name: string;
  readonly callback: ReplyCallback;
}

/** Commands on one socket, and their replies, which come in the order of the commands. A server that breaks the rules or falls silent is left: the socket is destroyed. */
export class Pipeline {
  readonly #stream: Socket;
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #refused: (name: string, reply: RespError) => PubSubError;
  readonly #writer = new CommandWriter();
  #scheduled = false;
  #asked: Asked[] = [];
  /** How many of `#asked` are answered; they are cut off now and then. */
  #answered = 0;
  /** Since when the server owes a reply and says nothing. */
  #silentSince = 0;
  #cancelLook: () => void = () => undefined;

  /** `silenceMs`: how long a server may owe a reply and say nothing. `refused` makes an error of its answer to the command `name`. */
  constructor(stream: Socket, clock: Clock, silenceMs: number, refused: (name: string, reply: RespError) => PubSubError) {
    this.#stream = stream;
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#refused = refused;
    const reader = new ReplyReader((reply) => this.#reply(reply));
    stream.on("data", (chunk: Buffer) => {
      this.#silentSince = clock.elapsed();
      try {
        reader.push(chunk);
      } catch (error) {
        if (!(error instanceof RespSyntaxError)) throw error;
        stream.destroy(error);
      }
    });
    this.#lookLater();
  }

  /** What is asked within one turn of the event loop leaves in one write. */
  ask(name: string, args: readonly Argument[], callback: ReplyCallback): void {
    if (this.#answered === this.#asked.length) this.#silentSince = this.#clock.elapsed();
    this.#asked.push({ name, callback });
    this.#writer.add(name, args);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#write());
  }

  /** The socket is no more: all that waits for a reply fails with what `why` says of the command. */
  lost(why: (name: string) => PubSubError): void {
    this.#cancelLook();
    const unanswered = this.#asked.splice(0).slice(this.#answered);
    this.#answered = 0;
    for (const { name, callback } of unanswered) callback(why(name), null);
  }

  #write(): void {
    this.#scheduled = false;
    const pieces = this.#writer.take();
    const stream = this.#stream;
    if (!stream.writable) return;
    if (pieces.length > 1) stream.cork();
    for (const piece of pieces) stream.write(piece);
    if (pieces.length > 1) stream.uncork();
    if (stream.writableLength === 0) this.#writer.reuse();
  }

  #reply(reply: Reply | RespError): void {
    const asked = this.#asked[this.#answered++];
    if (asked === undefined) throw new RespSyntaxError("a reply came that nobody asked for");
    if (this.#answered === this.#asked.length) {
      this.#asked = [];
      this.#answered = 0;
    } else if (this.#answered === 1_024) {
      this.#asked = this.#asked.slice(1_024);
      this.#answered = 0;
    }
    if (reply instanceof RespError) asked.callback(this.#refused(asked.name, reply), null);
    else asked.callback(undefined, reply);
  }

  #lookLater(): void {
    if (this.#stream.destroyed) return;
    this.#cancelLook = this.#clock.after(this.#silenceMs / 4, () => {
      if (!this.#silent) this.#lookLater();
      // We may be what stood still: what has come meanwhile is read before this is called.
      else setImmediate(() => (this.#silent ? this.#stream.destroy(new Error(`no reply for ${this.#silenceMs} ms`)) : this.#lookLater()));
    });
  }

  get #silent(): boolean {
    if (this.#answered === this.#asked.length) return false;
    const patience = this.#silenceMs + (1_000 * this.#stream.writableLength) / SLOW;
    return this.#clock.elapsed() - this.#silentSince >= patience;
  }
}
