import { ask } from "./ask.ts";
import type { Host } from "./config.ts";
import type { Connection, Dial, Reply } from "./connection.ts";
import { Row } from "./row.ts";

/** Where the master is, and who told. */
export interface Told {
  readonly master: Host;
  readonly by: Host;
}

/** Tells where the master is that Sentinels watch. */
export class Sentinels {
  /** Who knew last is asked first. One that is away, or that is wrong, is not asked again before the others. */
  readonly #row: Row;
  readonly #master: string;
  readonly #dial: (host: Host) => Dial;
  readonly #silenceMs: number;
  #asking: Promise<Told> | undefined;

  /** `hosts`: those that are known from the start. They tell of the others. */
  constructor(hosts: readonly Host[], master: string, dial: (host: Host) => Dial, silenceMs: number) {
    this.#row = new Row(hosts);
    this.#master = master;
    this.#dial = dial;
    this.#silenceMs = silenceMs;
  }

  /** One after the other is asked, until one knows. Rejects with an Error that says why the last one did not. */
  master(signal: AbortSignal): Promise<Told> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** What it told is no master, or cannot be reached. */
  wrong(sentinel: Host): void {
    this.#row.toTheEnd(sentinel);
  }

  async #ask(signal: AbortSignal): Promise<Told> {
    let why = "";
    for (const host of this.#row.hosts) {
      const dial = this.#dial(host);
      try {
        const [master, others] = await ask(dial, this.#silenceMs, (sentinel) => this.#questions(sentinel), signal);
        this.#learn(host, others as readonly (readonly Reply[])[]);
        if (master !== null) {
          this.#row.toTheFront(host);
          return { master: hostOf(...(master as readonly [Reply, Reply])), by: host };
        }
        why = `${dial.address} knows no master ${this.#master}`;
      } catch (error) {
        why = (error as Error).message;
      }
      if (signal.aborted) break;
      this.#row.toTheEnd(host);
    }
    throw new Error(why);
  }

  #questions(sentinel: Connection): Promise<readonly [Reply, Reply]> {
    return Promise.all([
      sentinel.call("sentinel", "get-master-addr-by-name", this.#master),
      // Whoever may not ask this, or asks for a master that is not there, knows no others.
      sentinel.call("sentinel", "sentinels", this.#master).catch((): Reply => []),
    ]);
  }

  /** `rows`, of names and values: who watches beside `host`. Those that are gone, and that nobody named, are forgotten. */
  #learn(host: Host, rows: readonly (readonly Reply[])[]): void {
    const told = rows.map((row) => {
      const of = (name: string) => row[row.findIndex((field) => String(field) === name) + 1] ?? null;
      return hostOf(of("ip"), of("port"));
    });
    if (told.length > 0) this.#row.learn([...told, host]);
  }
}

const hostOf = (host: Reply, port: Reply): Host => ({ host: String(host), port: Number(port) });
