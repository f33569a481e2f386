import { FreshMap } from "../pubsub/fresh-map.ts";
import type { Order } from "../pubsub/subscription.ts";
import type { Lent } from "./lent.ts";

/** The lane of a message: what shares one comes one after the other (D6). Undefined: it is in no order. */
export function laneOf(order: Order, key: string | undefined): string | undefined {
  if (order === "topic") return "";
  return order === "key" ? key : undefined;
}

/** The messages of each lane, in their order. The first is with the app, on its way there or in backoff; the others wait for it to be settled. */
export class Lanes {
  readonly #lanes = new FreshMap<string, Lent[]>();

  /** True: it is the first of its lane. */
  enter(lane: string, lent: Lent): boolean {
    const members = this.#lanes.get(lane);
    if (members) members.push(lent);
    else this.#lanes.set(lane, [lent]);
    return members === undefined;
  }

  /** It is settled, or no longer ours. Returns who is the first now, if that changed. */
  leave(lane: string, lent: Lent): Lent | undefined {
    const members = this.#lanes.get(lane) ?? [];
    const at = members.indexOf(lent);
    if (at > 0) members.splice(at, 1);
    if (at !== 0) return undefined;
    members.shift();
    if (members.length === 0) this.#lanes.delete(lane);
    return members[0];
  }

  members(lane: string): readonly Lent[] {
    return this.#lanes.get(lane) ?? [];
  }
}
