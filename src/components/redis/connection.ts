import { Redis } from "ioredis";
import { PubSubError } from "../../pubsub/error.ts";
import type { ClientOptions } from "./dial.ts";
import { replyError, replyWord } from "./errors.ts";

export type Argument = string | Buffer;
/** A server's reply: bulk strings are Buffers, numbers numbers, arrays arrays. */
export type Reply = Buffer | number | null | readonly Reply[];
export type ReplyCallback = (error: PubSubError | undefined, reply: Reply) => void;

export interface ConnectionListener {
  up(): void;
  /** Out of reach, or still out of reach after another attempt. */
  down(error: PubSubError): void;
  /** The server is no longer a master: every connection to it must be made anew. */
  demoted(): void;
}

/**
 * One socket to a server. It is made again for ever after it is lost; what had been sent on it fails as `unknown`, what comes while
 * there is none as `rejected`. Replies come in the order of the commands.
 */
export class Connection {
  readonly #redis: Redis;
  readonly #listener: ConnectionListener;
  readonly #address: string;
  #lastError: Error | undefined;
  #refusal: Error | undefined;
  #up = false;
  #closed = false;
  #corked = false;

  constructor(options: ClientOptions, address: string, listener: ConnectionListener) {
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
    if (!this.#corked) this.#cork();
    const command = new Redis.Command(name, args as Argument[], undefined, (error, reply) =>
      error ? callback(this.#failed(name, error), null) : callback(undefined, reply as Reply),
    );
    // The callback tells the outcome. The promise is handled by it too.
    void this.#redis.sendCommand(command);
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

  #cork(): void {
    const { stream } = this.#redis;
    this.#corked = true;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  #ready(): void {
    if (this.#closed) return;
    if (this.#refusal) {
      // The library goes on after a refused SELECT, on the wrong database.
      this.drop();
      return;
    }
    this.#up = true;
    this.#lastError = undefined;
    this.#listener.up();
  }

  #lost(): void {
    this.#up = false;
    if (!this.#closed) this.#listener.down(this.unavailable());
  }

  #failed(name: string, error: Error): PubSubError {
    const word = replyWord(error);
    if (word === "READONLY") this.#listener.demoted();
    if (word !== undefined) return replyError(name.toUpperCase(), word, error.message);
    const because = this.#lastError ? `: ${this.#lastError.message}` : "";
    return new PubSubError("unavailable", `${name.toUpperCase()}: the connection to ${this.#address} was lost before the reply${because}`, {
      outcome: "unknown",
    });
  }
}
