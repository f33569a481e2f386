import {
  type Capabilities,
  type ComponentDefinition,
  type Delivery,
  type Finding,
  type Outgoing,
  type PubSub,
  PubSubError,
  type Sink,
  type SubscribeRequest,
  type Subscription,
} from "layotto-sidecar";
import { type Options, options } from "./config.ts";

const capabilities: Capabilities = {
  ordering: "none",
  holdsKeys: false,
  orderedReplicas: "one",
  delayedRetry: "none",
  maxDelayMs: 0,
  attempts: "none",
  position: true,
  hold: Number.POSITIVE_INFINITY,
  keepsWithoutGroup: true,
  durable: false,
  retentionMs: undefined,
  headers: true,
  ttl: false,
  delay: false,
  replay: false,
  broadcast: false,
  backlog: false,
  browse: false,
  maxBatch: 100,
  maxBatchBytes: 8 * 2 ** 20,
  maxBytes: 4 * 2 ** 20,
  publishPipeline: 1,
};

/** A message in a drawer: its number is its position. */
type Slip = Pick<Outgoing, "data" | "attributes" | "key"> & { readonly position: string };

/** One topic, and how far each group is. */
class Drawer {
  readonly slips: Slip[] = [];
  readonly groups = new Map<string, Group>();

  group({ group, start }: SubscribeRequest): Group {
    const one = this.groups.get(group) ?? new Group(this.slips, start === "latest" ? this.slips.length : 0);
    this.groups.set(group, one);
    return one;
  }
}

/** All drawers of this process: its clients are replicas of one another. */
const drawers = new Map<string, Drawer>();

function drawer(topic: string): Drawer {
  const one = drawers.get(topic) ?? new Drawer();
  drawers.set(topic, one);
  return one;
}

class Group {
  readonly readers = new Set<Reader>();
  readonly #slips: readonly Slip[];
  readonly #again: Slip[] = [];
  #next: number;

  constructor(slips: readonly Slip[], next: number) {
    this.#slips = slips;
    this.#next = next;
  }

  peek(): Slip | undefined {
    return this.#again[0] ?? this.#slips[this.#next];
  }

  take(): void {
    if (this.#again.length > 0) this.#again.shift();
    else this.#next += 1;
  }

  giveBack(slip: Slip): void {
    this.#again.push(slip);
    this.wake();
  }

  wake(): void {
    queueMicrotask(() => {
      for (const reader of this.readers) reader.lend();
    });
  }
}

class Reader implements Subscription {
  readonly closed: Promise<undefined>;
  readonly #topic: string;
  readonly #group: Group;
  readonly #sink: Sink;
  readonly #lent = new Map<Delivery, Slip>();
  readonly #end = Promise.withResolvers<undefined>();
  #window = { messages: 0, bytes: 0 };

  constructor(topic: string, group: Group, sink: Sink) {
    this.#topic = topic;
    this.#group = group;
    this.#sink = sink;
    this.closed = this.#end.promise;
    group.readers.add(this);
  }

  window(messages: number, bytes: number): void {
    this.#window = { messages, bytes };
    this.#group.wake();
  }

  lend(): void {
    for (let slip = this.#group.peek(); slip && this.#room; slip = this.#group.peek()) {
      this.#group.take();
      const delivery = this.#delivery(slip);
      this.#lent.set(delivery, slip);
      this.#sink.deliver([delivery]);
    }
  }

  async flush(): Promise<void> {
    // A settlement stands as soon as it is made.
  }

  async close(): Promise<void> {
    this.#group.readers.delete(this);
    for (const slip of this.#lent.values()) this.#group.giveBack(slip);
    this.#lent.clear();
    this.#end.resolve(undefined);
  }

  get #room(): boolean {
    const { messages, bytes } = this.#window;
    const used = [...this.#lent.values()].reduce((sum, one) => sum + one.data.length, 0);
    return this.#group.readers.has(this) && this.#lent.size < messages && used < bytes;
  }

  #delivery(slip: Slip): Delivery {
    const settle = (how: () => void) => {
      if (!this.#lent.delete(delivery)) return false;
      how();
      this.#group.wake();
      return true;
    };
    const delivery: Delivery = {
      ...slip,
      topic: this.#topic,
      ack: () => settle(() => undefined),
      release: () => settle(() => this.#group.giveBack(slip)),
    };
    return delivery;
  }
}

class Slips implements PubSub {
  readonly capabilities = capabilities;
  readonly #options: Options;
  readonly #readers = new Set<Reader>();
  #closed = false;

  constructor(given: Options) {
    this.#options = given;
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    for (const message of [...batch]) {
      const { slips, groups } = drawer(message.topic);
      if (this.#closed || signal.aborted) message.done(new PubSubError("unavailable", "given up before it began"));
      else if (slips.length >= this.#options.mostMessages) message.done(new PubSubError("resource_exhausted", "the drawer is full"));
      else {
        const position = String(slips.length + 1);
        const { data, attributes, key } = message;
        slips.push({ data: data.slice(), attributes: { ...attributes }, position, ...(key === undefined ? {} : { key }) });
        for (const group of groups.values()) group.wake();
        message.done(undefined, position);
      }
    }
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    await this.ping();
    const reader = new Reader(request.topic, drawer(request.topic).group(request), sink);
    this.#readers.add(reader);
    return reader;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[]): Promise<void> {
    await this.ping();
    for (const request of groups) drawer(topic).group(request);
  }

  async inspect(): Promise<readonly Finding[]> {
    await this.ping();
    return [];
  }

  async ping(): Promise<void> {
    if (this.#closed) throw new PubSubError("unavailable", "the component is closed", { permanent: true });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#readers) await reader.close();
  }
}

export const definition: ComponentDefinition<Options> = {
  type: "slips",
  capabilities,
  options,
  open: (given) => new Slips(given),
};
