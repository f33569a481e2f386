import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import type { Cluster, Topic } from "./cluster.ts";

const AGAIN_MS = 500;
const MAKE_MS = 10_000;

export interface TopicWatcher {
  /** It has another number of partitions than before, or is back: whoever shared them while it was gone gave nobody any. */
  resized(): void;
  /** Something of it may have changed: who leads its partitions, or its id, when it was deleted and made anew. */
  changed(topic: Topic): void;
  /** It is gone, and cannot be made at the moment: it is tried again. None: it is back. */
  missing(error?: PubSubError): void;
}

/** Looks at a topic whenever the cluster has changed, and makes it again when it was deleted. */
export class TopicWatch {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #watcher: TopicWatcher;
  readonly #unlisten: () => void;
  #partitions: number;
  #missing = false;
  /** One attempt at a time: each ends in a look at the cluster, and so would begin the next. */
  #making = false;

  constructor(cluster: Cluster, topic: string, watcher: TopicWatcher) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#watcher = watcher;
    this.#partitions = cluster.known(topic)?.leaders.length ?? 0;
    this.#unlisten = cluster.onChange(() => this.#look());
  }

  stop(): void {
    this.#unlisten();
  }

  #look(): void {
    const topic = this.#cluster.known(this.#topic);
    if (!topic) {
      this.#missing = true;
      void this.#make();
      return;
    }
    const { length } = topic.leaders;
    if (this.#missing) this.#watcher.missing();
    if (this.#missing || (length !== this.#partitions && this.#partitions > 0)) this.#watcher.resized();
    this.#missing = false;
    this.#partitions = length;
    this.#watcher.changed(topic);
  }

  async #make(): Promise<void> {
    if (this.#making) return;
    this.#making = true;
    try {
      await this.#cluster.ensureTopic(this.#topic, AbortSignal.timeout(MAKE_MS));
      this.#making = false;
      this.#cluster.stale();
    } catch (error) {
      this.#watcher.missing(asPubSubError(error));
      this.#cluster.ground.clock.after(AGAIN_MS, () => {
        this.#making = false;
        this.#cluster.stale();
      });
    }
  }
}
