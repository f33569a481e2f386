import type { Lease } from "./lease.ts";

/**
 * What was received of a key, in its order: one receive of a FIFO queue brings several. The first is lent, the others wait for it. While
 * any of them is with us, SQS gives the key's next to nobody.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lease[]>();

  /** True: it is the first of its key, or has none. */
  enter(lease: Lease): boolean {
    if (lease.key === undefined) return true;
    const lane = this.#lanes.get(lease.key);
    if (lane) lane.push(lease);
    else this.#lanes.set(lease.key, [lease]);
    return lane === undefined;
  }

  /** It is acknowledged. Returns who may be lent now. */
  passed(lease: Lease): Lease | undefined {
    const lane = this.#laneOf(lease);
    if (!lane) return undefined;
    lane.shift();
    if (lane.length === 0) this.#lanes.delete(lease.key as string);
    return lane[0];
  }

  /** It comes again, or is another's now. Returns those that waited for it: they must come after it. */
  broken(lease: Lease): readonly Lease[] {
    const lane = this.#lanes.get(lease.key ?? "");
    const at = lane?.indexOf(lease) ?? -1;
    if (lease.key === undefined || !lane || at < 0) return [];
    const [, ...behind] = lane.splice(at);
    if (lane.length === 0) this.#lanes.delete(lease.key);
    return behind;
  }

  /** Empties all of them. Returns those that waited. */
  clear(): readonly Lease[] {
    const behind = [...this.#lanes.values()].flatMap(([, ...others]) => others);
    this.#lanes.clear();
    return behind;
  }

  #laneOf(lease: Lease): Lease[] | undefined {
    const lane = lease.key === undefined ? undefined : this.#lanes.get(lease.key);
    return lane?.[0] === lease ? lane : undefined;
  }
}
