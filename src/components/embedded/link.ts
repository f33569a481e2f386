import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { type Failure, toError } from "./errors.ts";
import type { Call, CallKind, Calls, LendFrame, Reply, Request, SettlementFrame, StoreSettings, WindowChange } from "./protocol.ts";
import { frameOf, type Publish } from "./publish.ts";

/** What is needed of a worker thread. */
export interface Thread {
  postMessage(request: Request, transfer: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (reply: Reply) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  terminate(): Promise<unknown>;
}

/** Beside this file, as a source or bundled. */
const WORKER = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

const startWorker = (settings: StoreSettings): Thread => new Worker(WORKER, { workerData: settings });

/** What a reader gets from the other thread. */
export interface Lendee {
  lend(frame: LendFrame): void;
  die(error: PubSubError): void;
}

type Settlement = { -readonly [K in keyof SettlementFrame]: SettlementFrame[K] };

interface Asked {
  readonly call: Call;
  readonly resolve: (value: never) => void;
  readonly reject: (error: PubSubError) => void;
}

/** What waits for the reply. */
interface UnderWay {
  readonly publishes: readonly Publish[];
  readonly asked: readonly Asked[];
}

/**
 * This side of the worker thread. What is asked for while a cycle is under way goes out together in the next one, so that an idle system
 * answers after one commit and a busy one shares it.
 */
export class Link {
  readonly #settings: StoreSettings;
  readonly #clock: Clock;
  readonly #start: (settings: StoreSettings) => Thread;
  readonly #readers = new Map<number, Lendee>();
  #worker: Thread | undefined;
  #lastReader = 0;
  #publishes: Publish[] = [];
  #settlements = new Map<number, Settlement>();
  #windows = new Map<number, WindowChange>();
  #asked: Asked[] = [];
  #underWay: UnderWay | undefined;
  #scheduled = false;
  #woken = false;
  #ended = false;
  #cancelWake: () => void = () => undefined;

  constructor(settings: StoreSettings, clock: Clock, start = startWorker) {
    this.#settings = settings;
    this.#clock = clock;
    this.#start = start;
  }

  publish(publish: Publish): void {
    if (this.#ended) {
      publish.answer(this.#closed("rejected"), 0);
      return;
    }
    this.#publishes.push(publish);
    this.#soon();
  }

  /** What the reader settles with the next cycle. */
  settle(reader: number): Settlement {
    let settlement = this.#settlements.get(reader);
    if (!settlement) {
      settlement = { reader, acks: [], releases: [], retries: [], keeps: [] };
      this.#settlements.set(reader, settlement);
    }
    this.#soon();
    return settlement;
  }

  window(change: WindowChange): void {
    this.#windows.set(change.reader, change);
    this.#soon();
  }

  /** Asks the store. Rejects with a PubSubError, also when `signal` aborts first, or has; the store does it all the same. */
  ask<K extends CallKind>(kind: K, what: Calls[K]["ask"], signal?: AbortSignal): Promise<Calls[K]["answer"]> {
    if (this.#ended) return Promise.reject(toError(this.#closed("rejected")));
    return new Promise((resolve, reject) => {
      const gaveUp = () =>
        reject(new PubSubError("deadline_exceeded", `${this.#settings.file}: no answer in time`, { outcome: "unknown" }));
      if (signal?.aborted) gaveUp();
      else signal?.addEventListener("abort", gaveUp, { once: true });
      const over = () => signal?.removeEventListener("abort", gaveUp);
      this.#asked.push({
        call: { kind, ...what } as Call,
        resolve: (value) => {
          over();
          resolve(value);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      });
      this.#soon();
    });
  }

  /** A number that no other reader of this link has or had. */
  newReader(): number {
    this.#lastReader += 1;
    return this.#lastReader;
  }

  join(id: number, reader: Lendee): void {
    this.#readers.set(id, reader);
  }

  leave(id: number): void {
    this.#readers.delete(id);
    this.#settlements.delete(id);
    this.#windows.delete(id);
  }

  /** Ends the thread, and fails what it did not answer, and whatever comes afterwards. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#ended = true;
    this.#cancelWake();
    this.#fail(this.#closed("unknown"));
    for (const publish of this.#publishes.splice(0)) publish.answer(this.#closed("rejected"), 0);
    for (const { reject } of this.#asked.splice(0)) reject(toError(this.#closed("rejected")));
    await worker?.terminate();
  }

  #closed(outcome: Failure["outcome"]): Failure {
    return { code: "unavailable", message: `${this.#settings.file}: closed`, outcome, permanent: true };
  }

  #soon(): void {
    if (this.#scheduled || this.#underWay || this.#ended) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#underWay && !this.#ended && this.#waits) this.#send();
    });
  }

  #send(): void {
    this.#cancelWake();
    const publishes = this.#publishes.filter((one) => one.begin());
    const asked = this.#asked;
    const publish = frameOf(publishes);
    const request: Request = {
      now: this.#clock.now(),
      elapsed: this.#clock.elapsed(),
      publish,
      settlements: [...this.#settlements.values()],
      windows: [...this.#windows.values()],
      calls: asked.map(({ call }) => call),
    };
    this.#woken = false;
    this.#publishes = [];
    this.#asked = [];
    this.#settlements = new Map();
    this.#windows = new Map();
    this.#underWay = { publishes, asked };
    this.#thread().postMessage(request, publish ? [...publish.data] : []);
  }

  #thread(): Thread {
    if (this.#worker) return this.#worker;
    const worker = this.#start(this.#settings);
    worker.on("message", (reply) => this.#worker === worker && this.#replied(reply));
    // A fault of the program in the other thread: everything under way fails, and the next request starts a new thread.
    worker.on("error", (error) => this.#died(worker, error.message));
    this.#worker = worker;
    return worker;
  }

  #replied(reply: Reply): void {
    const done = this.#underWay;
    this.#underWay = undefined;
    if (done) this.#answer(done, reply);
    for (const frame of reply.lent) this.#readers.get(frame.reader)?.lend(frame);
    for (const id of reply.ended)
      this.#end(id, reply.broken ? toError(reply.broken) : new PubSubError("not_found", "the group was deleted"));
    if (this.#waits) this.#soon();
    else if (reply.wakeIn !== undefined) this.#cancelWake = this.#clock.after(reply.wakeIn, () => this.#wake());
  }

  get #waits(): boolean {
    return this.#woken || this.#publishes.length + this.#asked.length + this.#settlements.size + this.#windows.size > 0;
  }

  /** The store has work of its own. */
  #wake(): void {
    this.#woken = true;
    this.#soon();
  }

  #answer({ publishes, asked }: UnderWay, { published, results }: Reply): void {
    let from = 0;
    for (const publish of publishes) {
      publish.answer(published as readonly number[] | Failure, from);
      from += publish.messages.length;
    }
    for (const [index, { resolve, reject }] of asked.entries()) {
      const result = results[index];
      if (result && "value" in result) resolve(result.value as never);
      else if (result) reject(toError(result.failure));
    }
  }

  #died(worker: Thread, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#fail({ code: "internal", message: `${this.#settings.file}: ${why}`, outcome: "unknown", permanent: false });
    if (this.#waits) this.#soon();
  }

  #fail(failure: Failure): void {
    const done = this.#underWay;
    this.#underWay = undefined;
    for (const publish of done?.publishes ?? []) publish.answer(failure, 0);
    for (const { reject } of done?.asked ?? []) reject(toError(failure));
    for (const id of [...this.#readers.keys()]) this.#end(id, toError(failure));
  }

  #end(id: number, error: PubSubError): void {
    const reader = this.#readers.get(id);
    this.leave(id);
    reader?.die(error);
  }
}
