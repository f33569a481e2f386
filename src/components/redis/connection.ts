import type { Socket } from "node:net";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { waitMs } from "../../resiliency/backoff.ts";
import { reasonOf } from "../reason.ts";
import type { Host } from "./config.ts";
import { livesElsewhere, ReplyError, replyError, wordOf } from "./errors.ts";
import { Pipeline, type ReplyCallback } from "./pipeline.ts";
import { type Argument, type Reply, RespError } from "./resp.ts";

export type { Argument, Reply, ReplyCallback };

export interface ConnectionListener {
  up(): void;
  /** Out of reach, or still out of reach after another attempt. */
  down(error: PubSubError): void;
  /** The server is no longer a master: every connection to it must be made anew. */
  demoted(): void;
}

export type Command = readonly [name: string, args: readonly Argument[]];

type TogetherCallback = (error: PubSubError | undefined, replies: readonly (Reply | PubSubError)[]) => void;

interface Greeting {
  readonly command: Command;
  /** Whether a refusal ends the attempt. */
  readonly must: boolean;
  /** What is wrong with the reply, if anything is: that ends the attempt as well. */
  wrong?(reply: Reply): string | undefined;
}

/** How a server is reached. */
export interface Dial {
  readonly clock: Clock;
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

/**
 * One socket to a server. It is made again for ever after it is lost; what had been sent on it fails as `unknown`, what comes while
 * there is none as `rejected`.
 */
export class Connection {
  readonly #dial: Dial;
  readonly #listener: ConnectionListener;
  readonly #silenceMs: number;
  readonly #closing = new AbortController();
  #stream: Socket | undefined;
  /** From when the socket is connected. */
  #pipeline: Pipeline | undefined;
  #up = false;
  #transacts = true;
  /** Attempts in a row that led to nothing that lasted. */
  #attempts = 0;
  #stoodAt = Number.POSITIVE_INFINITY;
  #cancelLate = NOTHING;
  #cancelAgain = NOTHING;
  /** What went wrong in this attempt, and in the last one that is over. */
  #failure: Error | undefined;
  #lastError: Error | undefined;

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
    const pipeline = this.#pipeline;
    if (pipeline && this.up) pipeline.ask(name, args, callback);
    else callback(this.unavailable(), null);
  }

  /** As far as we know the server lets us send commands `together`. Scripts can do the same: who was refused once does not ask again. */
  get transacts(): boolean {
    return this.#transacts;
  }

  /**
   * Sends commands that the server does one after the other with nothing in between. One that fails stops no other; its error stands in its
   * place. An error instead of replies: none was done, or it is not known. A server that refuses this does each of them on its own: then
   * `transacts` is false from the callback on.
   */
  together(commands: readonly Command[], callback: TogetherCallback): void {
    let begun: PubSubError | undefined;
    let refused: PubSubError | undefined;
    const alone: (Reply | PubSubError)[] = [];
    const queued: ReplyCallback = (error, reply) => {
      alone.push(error ?? reply);
      refused ??= error;
    };
    this.send("multi", [], (error) => {
      begun = error;
    });
    for (const [name, args] of commands) this.send(name, args, queued);
    this.send("exec", [], (error, reply) => {
      if (begun instanceof ReplyError) {
        this.#transacts = false;
        callback(undefined, alone);
        return;
      }
      if (error instanceof ReplyError) {
        // A topic that has moved since is refused as a whole, and nothing stays open.
        const open = error.word !== "EXECABORT" && !livesElsewhere(error);
        if (open || (refused === undefined && !livesElsewhere(error))) this.#transacts = false;
        if (open) this.#abandon();
      }
      if (error) callback(begun ?? refused ?? error, []);
      else
        callback(
          undefined,
          (reply as readonly (Reply | RespError)[]).map((one, index) =>
            one instanceof RespError ? this.#refused(commands[index]?.[0] ?? "exec", one) : one,
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
    this.#cancelAgain();
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
    const { clock, timeoutMs, connected } = this.#dial;
    const stream = this.#dial.connect(host);
    this.#stream = stream;
    this.#cancelLate = clock.after(timeoutMs, () => stream.destroy(new Error(`no connection within ${timeoutMs} ms`)));
    stream
      .on("error", (error) => {
        this.#failure ??= error;
      })
      .on("close", () => this.#lost())
      .once(connected, () => {
        this.#pipeline = new Pipeline(stream, clock, this.#silenceMs, (name, reply) => this.#refused(name, reply));
        this.#greet(stream, this.#pipeline);
      });
  }

  /** It stands when all is answered: a server that loads its data, or that does not know us, refuses the PING at the latest. */
  #greet(stream: Socket, pipeline: Pipeline): void {
    const greeting: readonly Greeting[] = [...this.#dial.greeting, { command: ["ping", []], must: true }];
    let left = greeting.length;
    for (const { command, must, wrong } of greeting) {
      pipeline.ask(...command, (error, reply) => {
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
    this.#cancelLate();
    this.#up = true;
    this.#stoodAt = this.#dial.clock.elapsed();
    this.#failure = undefined;
    this.#lastError = undefined;
    this.#listener.up();
  }

  #lost(): void {
    const pipeline = this.#pipeline;
    this.#up = false;
    this.#stream = undefined;
    this.#pipeline = undefined;
    this.#cancelLate();
    this.#lastError = this.#failure ?? new Error("the server closed the connection");
    this.#failure = undefined;
    if (!this.#closed) {
      const { clock, mostMs } = this.#dial;
      // A server that lets us in and is of no use (a replica under its master's old name) must not be asked without end.
      if (clock.elapsed() - this.#stoodAt >= mostMs) this.#attempts = 0;
      this.#stoodAt = Number.POSITIVE_INFINITY;
      this.#attempts += 1;
      this.#cancelAgain = clock.after(waitMs(this.#dial, this.#attempts, clock.random()), () => void this.#attempt());
      this.#listener.down(this.unavailable());
    }
    pipeline?.lost((name) => this.#unanswered(name));
  }

  /** A transaction stays open there: what it is asked from here on it would only queue, and answer as if it were done. */
  #abandon(): void {
    const pipeline = this.#pipeline;
    // Those who hear of it may ask for more at once.
    this.#up = false;
    this.drop();
    pipeline?.lost((name) => this.#unanswered(name));
  }

  #refused(name: string, reply: RespError): PubSubError {
    const word = wordOf(reply.message);
    if (word === "READONLY") this.#listener.demoted();
    return replyError(name.toUpperCase(), word, reply.message);
  }

  #unanswered(name: string): PubSubError {
    const what = `${name.toUpperCase()}: the connection to ${this.#dial.address} was lost before the reply${this.#because}`;
    return new PubSubError("unavailable", what, { outcome: "unknown" });
  }
}

const NOTHING = (): void => undefined;
