import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { dropGroups } from "./broadcast.ts";
import type { RedisOptions } from "./config.ts";
import { trim } from "./scripts.ts";
import type { Servers } from "./servers.ts";

/** A step that removed so many may have left some. */
const FULL_STEP = 9_000;

/** Removes what every group has acknowledged, and groups that are over, now and then, from the topics where something may have changed. */
export class Trimming {
  readonly #servers: Servers;
  readonly #options: RedisOptions;
  readonly #clock: Clock;
  readonly #groupsOf: (topic: string) => readonly string[];
  #topics = new Set<string>();
  #cancel: () => void = () => undefined;
  #scheduled = false;
  #closed = false;

  /** `groupsOf`: those of a topic that we read. */
  constructor(servers: Servers, options: RedisOptions, clock: Clock, groupsOf: (topic: string) => readonly string[]) {
    this.#servers = servers;
    this.#options = options;
    this.#clock = clock;
    this.#groupsOf = groupsOf;
  }

  touch(topic: string): void {
    this.#topics.add(topic);
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#cancel = this.#clock.after(this.#options.trimInterval, () => void this.#round());
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#topics.clear();
  }

  async #round(): Promise<void> {
    this.#scheduled = false;
    const topics = this.#topics;
    this.#topics = new Set();
    // What is kept for a while can only be trimmed later, and a server that is away is asked again.
    if (this.#options.retainMs > 0) for (const topic of topics) this.touch(topic);
    for (const topic of topics) {
      const node = this.#servers.of(topic);
      if (!node?.write.up) {
        this.touch(topic);
        continue;
      }
      try {
        // As many as the server removes in one step, until there are no more: it serves others in between.
        const args = [String(this.#options.retainMs), ...this.#groupsOf(topic)];
        while (!this.#closed && Number(await trim.run(node.write, [topic], ...args)) >= FULL_STEP);
        if (await dropGroups(node.write, topic)) this.touch(topic);
      } catch (error) {
        if (!(error as PubSubError).permanent) this.touch(topic);
      }
    }
  }
}
