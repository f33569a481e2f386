import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema } from "layotto-proto/appcallback";
import { encodePublishEvent } from "layotto-proto/publish-event";
import { decodeTopicEvent } from "layotto-proto/topic-event";
import { type Address, type Client, connect, listen, RpcError, type Server, Status } from "layotto-transport";
import { Latencies, type Quantiles } from "./latencies.ts";
import { type Usage, usageOf } from "./usage.ts";

/** The two APIs have the same messages under other names. */
const PACKAGES = {
  layotto: { publish: "/spec.proto.runtime.v1.Runtime/PublishEvent", callback: "/spec.proto.runtime.v1.AppCallback" },
  dapr: { publish: "/dapr.proto.runtime.v1.Dapr/PublishEvent", callback: "/dapr.proto.runtime.v1.AppCallback" },
} as const;

export interface LoadOptions {
  readonly sidecar: Address;
  readonly api: keyof typeof PACKAGES;
  readonly pubsub: string;
  readonly topic: string;
  /** Where the sidecar calls back. Undefined: nobody subscribes, only publishing is measured. */
  readonly app?: Address;
  /** Most publishes under way at once. */
  readonly inFlight: number;
  /** Publishes a second. Undefined: as fast as `inFlight` allows. */
  readonly rate?: number;
  readonly seconds: number;
  /** Before it, not measured: connections and compilers get warm. */
  readonly warmUpSeconds: number;
  /** Bytes of data. */
  readonly size: number;
  /** The messages are spread over so many partition keys. Undefined: they have none. */
  readonly keys?: number;
  /** What the subscription asks for. Default: `none`. */
  readonly order?: "none" | "key" | "topic";
  /** The sidecar's process, whose CPU and memory are to be read. Asked when the measurement begins. */
  readonly pid?: () => number | undefined;
}

export interface LoadReport {
  readonly seconds: number;
  readonly published: number;
  readonly failed: number;
  /** The first error's text. */
  readonly error?: string;
  readonly publish: Quantiles;
  /** Of the published: how many were handed over, more than once, and not within the patience after the end. Absent without an app. */
  readonly delivered?: number;
  /** From the first publish to the last delivery: a sidecar that falls behind delivers long after the last publish. */
  readonly deliveredSeconds?: number;
  readonly duplicates?: number;
  readonly missing?: number;
  /** From the publish's call to the app's. */
  readonly endToEnd?: Quantiles;
  /** Microseconds of the sidecar's CPU for each message: delivered if there is an app, else published. */
  readonly cpuPerMessage?: number;
  readonly rssBytes?: number;
}

/** How long the sidecar may take to ask what the app subscribes to. */
const ASKED_MS = 60_000;
/** How long the last messages may take. */
const DRAIN_MS = 10_000;
const EMPTY = new Uint8Array();

/** Publishes through a sidecar, takes what it hands back, and counts every message. `progress` is told about once a second. */
export async function load(options: LoadOptions, progress: (line: string) => void = () => undefined): Promise<LoadReport> {
  const run = new Run(options);
  try {
    await run.open();
    return await run.measure(progress);
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: LoadOptions;
  readonly #client: Client;
  readonly #mark = randomUUID();
  readonly #publishTimes = new Latencies();
  readonly #endToEndTimes = new Latencies();
  /** By number: when it was published, on the process's own clock. Undefined: not acknowledged. */
  readonly #sentAt: number[] = [];
  readonly #handedOver: number[] = [];
  #server: Server | undefined;
  #asked = Promise.withResolvers<void>();
  #measuredFrom = Number.POSITIVE_INFINITY;
  #next = 0;
  #underWay = 0;
  #published = 0;
  #failed = 0;
  #error: string | undefined;
  #delivered = 0;
  #lastArrival = 0;
  #duplicates = 0;
  #changed: () => void = () => undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#client = connect(options.sidecar);
  }

  async open(): Promise<void> {
    const { app, api, pubsub, topic, order = "none" } = this.#options;
    if (!app) return;
    const list = toBinary(
      ListTopicSubscriptionsResponseSchema,
      create(ListTopicSubscriptionsResponseSchema, { subscriptions: [{ pubsubName: pubsub, topic, metadata: { order } }] }),
    );
    const { callback } = PACKAGES[api];
    this.#server = await listen(app, {
      maxMessageBytes: 16 * 2 ** 20,
      handlers: {
        [`${callback}/ListTopicSubscriptions`]: (_, call) => {
          call.respond(list);
          this.#asked.resolve();
        },
        [`${callback}/OnTopicEvent`]: (bytes, call) => {
          const event = decodeTopicEvent(bytes);
          // The app's own is not ours to settle: it waits, and nothing is counted. Dapr would drop it for that word.
          if (event.topic !== topic || event.pubsubName !== pubsub) {
            call.fail(
              api === "dapr" ? Status.UNAVAILABLE : Status.UNIMPLEMENTED,
              `this is a load on ${topic} of ${pubsub}, in the place of the app`,
            );
            return;
          }
          this.#arrived(event.data);
          call.respond(EMPTY);
        },
      },
    });
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#server?.close(AbortSignal.timeout(1_000));
  }

  async measure(progress: (line: string) => void): Promise<LoadReport> {
    const { app, seconds, warmUpSeconds } = this.#options;
    if (app) await this.#untilAsked(progress);
    await this.#publishFor(warmUpSeconds, () => undefined);
    await this.#settled();
    const pid = this.#options.pid?.();
    const before = pid === undefined ? undefined : usageOf(pid);
    const [published, failed, delivered, duplicates] = [this.#published, this.#failed, this.#delivered, this.#duplicates];
    this.#measuredFrom = this.#next;
    const startedAt = performance.now();
    await this.#publishFor(seconds, progress);
    const took = (performance.now() - startedAt) / 1_000;
    await this.#settled();
    const after = pid === undefined ? undefined : usageOf(pid);
    const counts = { published: this.#published - published, failed: this.#failed - failed };
    const handedOver = { delivered: this.#delivered - delivered, duplicates: this.#duplicates - duplicates };
    const messages = app ? handedOver.delivered : counts.published;
    return {
      seconds: took,
      ...counts,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      publish: this.#publishTimes.quantiles,
      ...(app
        ? {
            ...handedOver,
            deliveredSeconds: (this.#lastArrival - startedAt) / 1_000,
            missing: this.#missing(),
            endToEnd: this.#endToEndTimes.quantiles,
          }
        : {}),
      ...used(before, after, messages),
    };
  }

  async #untilAsked(progress: (line: string) => void): Promise<void> {
    const hint = "a Go Layotto asks only when it starts: start it after this";
    const telling = setTimeout(() => progress(`waiting to be asked for subscriptions (${hint})`), 2_000);
    const late = setTimeout(() => this.#asked.reject(new Error(`the sidecar did not ask for subscriptions; ${hint}`)), ASKED_MS);
    try {
      await this.#asked.promise;
    } finally {
      clearTimeout(telling);
      clearTimeout(late);
    }
  }

  #publishFor(seconds: number, progress: (line: string) => void): Promise<void> {
    const { inFlight, rate } = this.#options;
    const startedAt = performance.now();
    const endsAt = startedAt + seconds * 1_000;
    const first = this.#next;
    return new Promise((resolve) => {
      const more = () => {
        const now = performance.now();
        if (now >= endsAt) {
          clearInterval(pacing);
          clearInterval(telling);
          if (this.#underWay === 0) resolve();
          return;
        }
        const due = rate === undefined ? Number.POSITIVE_INFINITY : first + ((now - startedAt) / 1_000) * rate;
        while (this.#underWay < inFlight && this.#next < due) this.#publish(more);
      };
      const pacing = setInterval(more, rate === undefined ? 1_000 : 1);
      const telling = setInterval(() => {
        const left = Math.ceil((endsAt - performance.now()) / 1_000);
        progress(`${this.#next - first} published, ${this.#delivered} delivered in all, ${left} s to go`);
      }, 1_000);
      more();
    });
  }

  #publish(more: () => void): void {
    const { api, pubsub, topic, size, keys } = this.#options;
    const number = this.#next++;
    const data = Buffer.alloc(Math.max(size, 60), " ");
    data.write(`${this.#mark} ${number}`);
    const metadata: Record<string, string> = keys === undefined ? {} : { partitionKey: `key${number % keys}` };
    const request = encodePublishEvent({ pubsubName: pubsub, topic, data, dataContentType: "text/plain", metadata });
    const startedAt = performance.now();
    this.#underWay += 1;
    const over = () => {
      this.#underWay -= 1;
      more();
    };
    this.#sentAt[number] = startedAt;
    this.#client.unary(
      PACKAGES[api].publish,
      request,
      {
        response: () => {
          this.#published += 1;
          if (number >= this.#measuredFrom) this.#publishTimes.record(performance.now() - startedAt);
          over();
        },
        failed: (error) => {
          this.#failed += 1;
          this.#error ??= error instanceof RpcError ? error.message : String(error);
          this.#sentAt[number] = Number.NaN;
          over();
        },
      },
      { deadline: Date.now() + 30_000, waitForReady: true },
    );
  }

  #arrived(data: Uint8Array): void {
    const [mark, number = ""] = Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, 60)).toString("latin1").split(" ");
    const index = Number(number);
    const sentAt = this.#sentAt[index];
    // Another run's, or another program's.
    if (mark !== this.#mark || sentAt === undefined) return;
    const times = (this.#handedOver[index] ?? 0) + 1;
    this.#handedOver[index] = times;
    if (times > 1) this.#duplicates += 1;
    else {
      this.#delivered += 1;
      this.#lastArrival = performance.now();
      if (index >= this.#measuredFrom) this.#endToEndTimes.record(performance.now() - sentAt);
    }
    this.#changed();
  }

  /** Resolves once everything acknowledged was handed over, or nothing came for as long as that may take. */
  #settled(): Promise<void> {
    if (!this.#options.app || this.#missing() === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
      let timer = setTimeout(end, DRAIN_MS);
      this.#changed = () => {
        clearTimeout(timer);
        timer = setTimeout(end, DRAIN_MS);
        if (this.#delivered >= this.#published && this.#missing() === 0) end();
      };
    });
  }

  #missing(): number {
    let missing = 0;
    for (let index = 0; index < this.#next; index++)
      if (this.#handedOver[index] === undefined && !Number.isNaN(this.#sentAt[index])) missing += 1;
    return missing;
  }
}

function used(before: Usage | undefined, after: Usage | undefined, messages: number): Pick<LoadReport, "cpuPerMessage" | "rssBytes"> {
  if (!before || !after) return {};
  return { cpuPerMessage: ((after.cpuMs - before.cpuMs) * 1_000) / Math.max(1, messages), rssBytes: after.rssBytes };
}
