import type { Socket } from "node:net";
import { PubSubError } from "../../pubsub/error.ts";
import { waitMs } from "../../resiliency/backoff.ts";
import type { Host } from "./config.ts";
import { replyError, wordOf } from "./errors.ts";
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

interface Greeting {
  readonly command: Command;
  /** Whether a refusal ends the attempt. */
  readonly must: boolean;
  /** What is wrong with the reply, if anything is: that ends the attempt as well. */
  wrong?(reply: Reply): string | undefined;
}

/** How a server is reached. */
export interface Dial {
  /** In words, for errors. */
  readonly address: string;
  /** Where it is: asked before each attempt. Rejects with an Error that says why nobody knows. */
  where(signal: AbortSignal): Promise<Host>;
  connect(host: Host): Socket;
  /** When a socket is connected: `connect`, or with TLS `secureConnect`. */
  readonly connected: "connect" | "secureConnect";
  /** Longest wait for that and for the answers to the greeting, in milliseconds. */
  readonly timeoutMs: number;
  /** What is said first: who we are, and which database we mean. */
  readonly greeting: readonly Greeting[];
  /** The first and the longest wait before another attempt, in milliseconds. */
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The longest that a timer of Node's waits. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** A command that waits for its reply. */
interface Asked {
  readonly name: string;
  readonly callback: ReplyCallback;
}

/**
 * One socket to a server. It is made again for ever after it is lost; what had been sent on it fails as `unknown`, what comes while
 * there is none as `rejected`. Replies come in the order of the commands.
 */
export class Connection {
  readonly #dial: Dial;
  readonly #listener: ConnectionListener;
  readonly #closing = new AbortController();
  #stream: Socket | undefined;
  #attempts = 0;
  #late: NodeJS.Timeout | undefined;
  /** What went wrong in this attempt, and in the last one that is over. */
  #failure: Error | undefined;
  #again: NodeJS.Timeout | undefined;
  #lastError: Error | undefined;
  #up = false;
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
  constructor(dial: Dial, silenceMs: number, listener: ConnectionListener) {
    this.#dial = dial;
    this.#silenceMs = silenceMs;
    this.#listener = listener;
  }

  /** Not in the constructor, so that the owner is complete before the first event. */
  open(): void {
    void this.#attempt();
  }

  get up(): boolean {
    return this.#up && this.#stream?.writable === true;
  }

  /** Why nothing can be sent now. */
  unavailable(): PubSubError {
    return new PubSubError("unavailable", `not connected to ${this.#dial.address}${this.#because}`);
  }

  /** Sends one command. What is sent within one turn of the event loop leaves in one write. */
  send(name: string, args: readonly Argument[], callback: ReplyCallback): void {
    if (!this.up) {
      callback(this.unavailable(), null);
      return;
    }
    this.#ask(name, args, callback);
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
    this.#stream?.destroy(new Error("it was given up"));
  }

  close(): void {
    this.#closing.abort();
    this.#up = false;
    clearTimeout(this.#again);
    this.#stream?.destroy();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  get #because(): string {
    return this.#lastError ? `: ${reasonOf(this.#lastError)}` : "";
  }

  async #attempt(): Promise<void> {
    try {
      const host = await this.#dial.where(this.#closing.signal);
      if (!this.#closed) this.#connect(host);
    } catch (error) {
      this.#failure = error as Error;
      this.#lost();
    }
  }

  #connect(host: Host): void {
    const { timeoutMs, connected } = this.#dial;
    const stream = this.#dial.connect(host);
    this.#stream = stream;
    const late = () => stream.destroy(new Error(`no connection within ${timeoutMs} ms`));
    this.#late = setTimeout(late, Math.min(timeoutMs, MOST_TIMEOUT_MS));
    stream
      .on("error", (error) => {
        this.#failure ??= error;
      })
      .on("close", () => this.#lost())
      .once(connected, () => {
        this.#listen(stream);
        this.#greet(stream);
      });
  }

  #listen(stream: Socket): void {
    const reader = new ReplyReader((reply) => this.#reply(reply));
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

  /** It stands when all is answered: a server that loads its data, or that does not know us, refuses the PING at the latest. */
  #greet(stream: Socket): void {
    const greeting: readonly Greeting[] = [...this.#dial.greeting, { command: ["ping", []], must: true }];
    let left = greeting.length;
    for (const { command, must, wrong } of greeting) {
      this.#ask(...command, (error, reply) => {
        left -= 1;
        if (stream.destroyed) return;
        const reason = error ? undefined : wrong?.(reply);
        // A server that wants nobody may say so before it is asked anything.
        if (error) this.#failure ??= error;
        if (error && must) stream.destroy(error);
        else if (reason !== undefined) stream.destroy(new Error(reason));
        else if (left === 0) this.#stands();
      });
    }
  }

  #stands(): void {
    clearTimeout(this.#late);
    this.#up = true;
    this.#attempts = 0;
    this.#failure = undefined;
    this.#lastError = undefined;
    this.#listener.up();
  }

  #ask(name: string, args: readonly Argument[], callback: ReplyCallback): void {
    if (this.#answered === this.#asked.length) this.#silentSince = performance.now();
    this.#asked.push({ name, callback });
    this.#writer.add(name, args);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#write());
  }

  #write(): void {
    this.#scheduled = false;
    const pieces = this.#writer.take();
    const stream = this.#stream;
    if (!stream?.writable) return;
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
    if (reply instanceof RespError) asked.callback(this.#failed(asked.name, reply), null);
    else asked.callback(undefined, reply);
  }

  #lost(): void {
    this.#up = false;
    this.#stream = undefined;
    clearTimeout(this.#late);
    clearInterval(this.#silence);
    this.#lastError = this.#failure ?? new Error("the server closed the connection");
    this.#failure = undefined;
    this.#writer.take();
    const lost = this.#asked.slice(this.#answered);
    this.#asked = [];
    this.#answered = 0;
    if (!this.#closed) {
      this.#attempts += 1;
      this.#again = setTimeout(() => void this.#attempt(), waitMs(this.#dial, this.#attempts, Math.random()));
      this.#listener.down(this.unavailable());
    }
    for (const { name, callback } of lost) callback(this.#failed(name, undefined), null);
  }

  /** `refusal`: the server's answer. Undefined: there was none. */
  #failed(name: string, refusal: RespError | undefined): PubSubError {
    const doing = name.toUpperCase();
    if (refusal) {
      const word = wordOf(refusal.message);
      if (word === "READONLY") this.#listener.demoted();
      return replyError(doing, word, refusal.message);
    }
    return new PubSubError("unavailable", `${doing}: the connection to ${this.#dial.address} was lost before the reply${this.#because}`, {
      outcome: "unknown",
    });
  }
}

/** A name with several addresses fails with an error for each, and none of its own. */
function reasonOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join(", ") : error.message;
}
