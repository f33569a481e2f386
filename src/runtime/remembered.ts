import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { AppSubscription } from "../app/channel.ts";

const FILE = z.array(z.object({ pubsub: z.string(), topic: z.string(), metadata: z.record(z.string(), z.string()) }));

/**
 * What the app subscribed to when it was last asked, in a file of the data directory, so that its groups exist at the next start before
 * the app does (D16). Losing the file costs nothing but that.
 */
export class Remembered {
  readonly #file: string;
  readonly #subscriptions = new Map<string, AppSubscription>();

  constructor(dataDir: string, appId: string) {
    this.#file = join(dataDir, `subscriptions-${encodeURIComponent(appId)}.json`);
  }

  /** What was remembered: nothing when there is no file. Throws when there is one that cannot be read. */
  load(): readonly AppSubscription[] {
    for (const one of FILE.parse(JSON.parse(this.#read()))) this.#subscriptions.set(keyOf(one), one);
    return [...this.#subscriptions.values()];
  }

  /** Throws when the directory cannot be written. */
  add({ pubsub, topic, metadata }: AppSubscription): void {
    const before = this.#subscriptions.get(keyOf({ pubsub, topic }));
    this.#subscriptions.set(keyOf({ pubsub, topic }), { pubsub, topic, metadata });
    if (!isDeepStrictEqual(before?.metadata, metadata)) this.#save();
  }

  /** Throws when the directory cannot be written. */
  remove(subscription: AppSubscription): void {
    if (this.#subscriptions.delete(keyOf(subscription))) this.#save();
  }

  #read(): string {
    try {
      return readFileSync(this.#file, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "[]";
      throw error;
    }
  }

  #save(): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    const partial = `${this.#file}.${process.pid}`;
    writeFileSync(partial, `${JSON.stringify([...this.#subscriptions.values()], undefined, 2)}\n`);
    renameSync(partial, this.#file);
  }
}

function keyOf({ pubsub, topic }: Pick<AppSubscription, "pubsub" | "topic">): string {
  return JSON.stringify([pubsub, topic]);
}
