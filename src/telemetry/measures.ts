import { Histogram, MESSAGES, SECONDS } from "./histogram.ts";

/** Topics beyond so many share one label, so that a publisher of ever new topics costs no memory here nor in what scrapes. */
const MOST_TOPICS = 1_000;
const OTHER = "other";

/** Publishes to one topic: counted once, when the publisher is answered. */
export interface PublishCounts {
  readonly topic: string;
  published: number;
  /** By error code. */
  readonly failed: Map<string, number>;
}

/** What came of one group's messages of a topic. */
export interface ReaderCounts {
  /** Calls of the app. */
  delivered: number;
  /** Settled for good, whatever the reason. */
  acked: number;
  retried: number;
  dropped: number;
  /** Written to the dead-letter topic. */
  deadLettered: number;
  expired: number;
  /** Handed over as raw events, since they could not be read as CloudEvents although they should have been. */
  undecodable: number;
  /** Given back to the broker without having been with the app. */
  released: number;
  lost: number;
}

export const readerCounts = (): ReaderCounts => ({
  delivered: 0,
  acked: 0,
  retried: 0,
  dropped: 0,
  deadLettered: 0,
  expired: 0,
  undecodable: 0,
  released: 0,
  lost: 0,
});

/** One component's numbers: plain fields that the hot path adds to, and that a scrape reads. */
export class PubSubMeasures {
  /** From the call at the API to its answer. */
  readonly publishSeconds = new Histogram(SECONDS);
  /** One call of the broker, with a batch. */
  readonly brokerSeconds = new Histogram(SECONDS);
  readonly batchMessages = new Histogram(MESSAGES);
  /** One call of the app. */
  readonly processSeconds = new Histogram(SECONDS);
  /** Publishes tried again although the broker may have had them. */
  possibleDuplicates = 0;
  readonly topics = new Map<string, PublishCounts>();
  readonly readers = new Map<string, { readonly topic: string; readonly group: string; readonly counts: ReaderCounts }>();
  readonly #labels: Set<string>;

  /** `labels` are the topics that have a label of their own, of all components. */
  constructor(labels: Set<string> = new Set()) {
    this.#labels = labels;
  }

  publishing(topic: string): PublishCounts {
    const known = this.topics.get(topic);
    if (known) return known;
    const label = this.#label(topic);
    const counts = this.topics.get(label) ?? { topic: label, published: 0, failed: new Map() };
    this.topics.set(label, counts);
    return counts;
  }

  reading(topic: string, group: string): ReaderCounts {
    const label = this.#label(topic);
    const key = JSON.stringify([label, group]);
    const known = this.readers.get(key) ?? { topic: label, group, counts: readerCounts() };
    this.readers.set(key, known);
    return known.counts;
  }

  #label(topic: string): string {
    if (this.#labels.size >= MOST_TOPICS && !this.#labels.has(topic)) return OTHER;
    this.#labels.add(topic);
    return topic;
  }
}

/** The numbers of all components. */
export class Measures {
  readonly pubsubs: ReadonlyMap<string, PubSubMeasures>;

  constructor(names: Iterable<string>) {
    const labels = new Set<string>();
    this.pubsubs = new Map([...names].map((name) => [name, new PubSubMeasures(labels)]));
  }

  of(name: string): PubSubMeasures {
    const measures = this.pubsubs.get(name);
    if (!measures) throw new TypeError(`there is no component ${name}`);
    return measures;
  }
}
