import { Redis } from "ioredis";
import { PubSubError } from "../../pubsub/error.ts";
import type { ClientOptions } from "./dial.ts";
import { replyError, replyWord } from "./errors.ts";
import { type Argument, CommandWriter, type Reply, ReplyReader, RespError, RespSyntaxError } from "./resp.ts";

export type { Argument, Reply };
export type ReplyCallback = (error: PubSubError | undefined, reply: Reply) => void;

export interface ConnectionListener {
  up(): void;
  /** Out of reach, or still out of reach after another attempt. */
  down(error: PubSubError): void;
  /** The server is no longer a master: every connection to it must be made anew. */
  demoted(): void;
}

export type Command = readonly [name: string, args: readonly Argument[]];

/** A command that waits for its reply. */
interface Asked {
  readonly name: string;
  readonly callback: ReplyCallback;
}

/**
 * One socket to a server. It is made again for ever after it is lost; what had been sent on it fails as `unknown`, what comes while
 * there is none as `rejected`. Replies come in the order of the commands.
 *
 * ioredis finds the server (Sentinel), connects (TLS), signs in and does it again when the connection is lost. From then on the socket is
 * ours: in the library, commands and replies took 17 % of the sidecar's time.
 */
export class Connection {
  readonly #redis: Redis;
  readonly #listener: ConnectionListener;
  readonly #address: string;
  #lastError: Error | undefined;
  #refusal: Error | undefined;
  #up = false;
  #closed = false;
  #scheduled = false;
  readonly #silenceMs: number;
  readonly #writer = new CommandWriter();
  #asked: Asked[] = [];
  /** How many of `#asked` are answered; they are cut off now and then. */
  #answered = 0;
  /** Since when the server owes a reply and says nothing. */
  #silentSince = 0;
  #silence: NodeJS.Timeout | undefined;

  /** `silenceMs`: a server that owes a reply and says nothing for so long is left. */
  constructor(options: ClientOptions, silenceMs: number, address: string, listener: ConnectionListener) {
    this.#silenceMs = silenceMs;
    this.#listener = listener;
    this.#address = address;
    this.#redis = new Redis(options);
    this.#redis
      .on("connect", () => {
        this.#refusal = undefined;
      })
      .on("error", (error: Error) => {
        this.#lastError = error;
        if (replyWord(error) !== undefined) this.#refusal = error;
      })
      .on("ready", () => this.#ready())
      .on("close", () => this.#lost());
  }

  /** Not in the constructor, so that the owner is complete before the first event. */
  open(): void {
    // A failed attempt is also an `error` and a `close` event, which tell it.
    this.#redis.connect().catch(() => undefined);
  }

  get up(): boolean {
    return this.#up && this.#redis.status === "ready" && this.#redis.stream.writable;
  }

  /** Why nothing can be sent now. */
  unavailable(): PubSubError {
    const because = this.#lastError ? `: ${this.#lastError.message}` : "";
    return new PubSubError("unavailable", `not connected to ${this.#address}${because}`);
  }

  /** Sends one command. What is sent within one turn of the event loop leaves in one write. */
  send(name: string, args: readonly Argument[], callback: ReplyCallback): void {
    if (!this.up) {
      callback(this.unavailable(), null);
      return;
    }
    if (this.#answered === this.#asked.length) this.#silentSince = performance.now();
    this.#asked.push({ name, callback });
    this.#writer.add(name, args);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#write());
  }

  /**
   * Sends commands that the server does one after the other with nothing in between. One that fails stops no other; its error stands in its
   * place. An error instead of replies: none was done, or it is not known.
   */
  together(
    commands: readonly Command[],
    callback: (error: PubSubError | undefined, replies: readonly (Reply | PubSubError)[]) => void,
  ): void {
    let refused: PubSubError | undefined;
    const queued: ReplyCallback = (error) => {
      refused ??= error;
    };
    this.send("multi", [], queued);
    for (const [name, args] of commands) this.send(name, args, queued);
    this.send("exec", [], (error, reply) => {
      if (error) callback(refused ?? error, []);
      else
        callback(
          undefined,
          (reply as readonly (Reply | RespError)[]).map((one, index) =>
            one instanceof RespError ? this.#failed(commands[index]?.[0] ?? "exec", one) : one,
          ),
        );
    });
  }

  call(name: string, ...args: readonly Argument[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.send(name, args, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  }

  /** Abandons the socket, and with it all that waits for a reply. A new one is made. */
  drop(): void {
    this.#redis.stream?.destroy();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#up = false;
    this.#redis.disconnect();
    this.#redis.stream?.destroy();
  }

  #write(): void {
    this.#scheduled = false;
    const pieces = this.#writer.take();
    const { stream } = this.#redis;
    if (!this.up) return;
    if (pieces.length > 1) stream.cork();
    for (const piece of pieces) stream.write(piece);
    if (pieces.length > 1) stream.uncork();
    if (stream.writableLength === 0) this.#writer.reuse();
  }

  /** Takes the socket over from the library, which has no reply to wait for. */
  #take(): void {
    const { stream } = this.#redis;
    const reader = new ReplyReader((reply) => this.#reply(reply));
    stream.removeAllListeners("data");
    stream.on("data", (chunk: Buffer) => {
      this.#silentSince = performance.now();
      try {
        reader.push(chunk);
      } catch (error) {
        if (!(error instanceof RespSyntaxError)) throw error;
        stream.destroy(error);
      }
    });
    this.#silence = setInterval(() => {
      if (this.#answered === this.#asked.length || performance.now() - this.#silentSince < this.#silenceMs) return;
      stream.destroy(new Error(`no reply for ${this.#silenceMs} ms`));
    }, this.#silenceMs / 4);
  }

  #reply(reply: Reply | RespError): void {
    const asked = this.#asked[this.#answered++];
    if (asked === undefined) throw new Error("a reply that nobody asked for");
    if (this.#answered === this.#asked.length) {
      this.#asked = [];
      this.#answered = 0;
    } else if (this.#answered === 1_024) {
      this.#asked = this.#asked.slice(1_024);
      this.#answered = 0;
    }
    if (reply instanceof RespError) asked.callback(this.#failed(asked.name, reply), null);
    else asked.callback(undefined, reply);
  }

  /** The library has sent what it wants to be said first, such as SELECT. The reply to a PING behind it tells that all is answered. */
  #ready(): void {
    const { stream } = this.#redis;
    const standing = () => {
      if (this.#closed || this.#redis.stream !== stream) return;
      // The library goes on after a refused SELECT, on the wrong database.
      if (this.#refusal) {
        this.drop();
        return;
      }
      this.#take();
      this.#up = true;
      this.#lastError = undefined;
      this.#listener.up();
    };
    // A connection that is lost meanwhile is told by its own event.
    this.#redis.ping().then(standing, () => undefined);
  }

  #lost(): void {
    this.#up = false;
    clearInterval(this.#silence);
    this.#writer.take();
    const lost = this.#asked.slice(this.#answered);
    this.#asked = [];
    this.#answered = 0;
    if (!this.#closed) this.#listener.down(this.unavailable());
    for (const { name, callback } of lost) callback(this.#failed(name, this.#lastError), null);
  }

  #failed(name: string, error: Error | undefined): PubSubError {
    const word = replyWord(error);
    if (word === "READONLY") this.#listener.demoted();
    if (error !== undefined && word !== undefined) return replyError(name.toUpperCase(), word, error.message);
    const because = this.#lastError ? `: ${this.#lastError.message}` : "";
    return new PubSubError("unavailable", `${name.toUpperCase()}: the connection to ${this.#address} was lost before the reply${because}`, {
      outcome: "unknown",
    });
  }
}
