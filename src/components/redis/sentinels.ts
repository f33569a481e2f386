import { ask } from "./ask.ts";
import type { Host } from "./config.ts";
import type { Connection, Dial, Reply } from "./connection.ts";
import { Row } from "./row.ts";

/** Tells where the master is that Sentinels watch. */
export class Sentinels {
  /** Who was asked last is at the end: one that is away, or that is wrong, is not asked again before the others. */
  readonly #row: Row;
  readonly #master: string;
  readonly #dial: (host: Host) => Dial;
  readonly #silenceMs: number;
  #asking: Promise<Host> | undefined;

  /** `hosts`: those that are known from the start. They tell of the others. */
  constructor(hosts: readonly Host[], master: string, dial: (host: Host) => Dial, silenceMs: number) {
    this.#row = new Row(hosts);
    this.#master = master;
    this.#dial = dial;
    this.#silenceMs = silenceMs;
  }

  /** One after the other is asked, until one knows. Rejects with an Error that says why the last one did not. */
  master(signal: AbortSignal): Promise<Host> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(signal: AbortSignal): Promise<Host> {
    let why = "";
    for (const host of this.#row.hosts) {
      this.#row.toTheEnd(host);
      const dial = this.#dial(host);
      try {
        const [master, others] = await ask(dial, this.#silenceMs, (sentinel) => this.#questions(sentinel), signal);
        this.#learn(host, others as readonly (readonly Reply[])[]);
        if (master !== null) return hostOf(...(master as readonly [Reply, Reply]));
        why = `${dial.address} knows no master ${this.#master}`;
      } catch (error) {
        why = (error as Error).message;
      }
      if (signal.aborted) break;
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
