import type { Host } from "./config.ts";

/** Servers that know the same, in the order in which they are asked. */
export class Row {
  #hosts: readonly Host[];
  readonly #named: readonly Host[];

  /** `named`: those that are known from the start. They stay, whatever the others tell. */
  constructor(named: readonly Host[]) {
    this.#hosts = named;
    this.#named = named;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  toTheFront(host: Host): void {
    if (this.#hosts.includes(host)) this.#hosts = [host, ...this.#hosts.filter((one) => one !== host)];
  }

  toTheEnd(host: Host): void {
    if (this.#hosts.includes(host)) this.#hosts = [...this.#hosts.filter((one) => one !== host), host];
  }

  /** `told`: who is there now. Who is new is asked first; who is gone, and was not named, is forgotten. */
  learn(told: readonly Host[]): void {
    const fresh = told.filter((one) => !this.#hosts.some((known) => same(known, one)));
    const kept = this.#hosts.filter((one) => this.#named.includes(one) || told.some((other) => same(other, one)));
    this.#hosts = [...fresh, ...kept];
  }
}

const same = (a: Host, b: Host): boolean => a.host === b.host && a.port === b.port;
