import type { Host } from "./config.ts";
import type { Sentinels } from "./sentinels.ts";

/** How one connection finds the master. What a Sentinel told it and did not prove right was wrong when the connection asks again. */
export class Search {
  readonly #sentinels: Sentinels;
  /** Who told what is being tried. */
  #unproved: Host | undefined;

  constructor(sentinels: Sentinels) {
    this.#sentinels = sentinels;
  }

  /** Rejects with an Error that says why nobody knows. */
  async master(signal: AbortSignal): Promise<Host> {
    if (this.#unproved) this.#sentinels.wrong(this.#unproved);
    this.#unproved = undefined;
    const { master, by } = await this.#sentinels.master(signal);
    this.#unproved = by;
    return master;
  }

  /** It is a master. */
  right(): void {
    this.#unproved = undefined;
  }
}
