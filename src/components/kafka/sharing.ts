import { asPubSubError } from "../../pubsub/error.ts";
import { assign, readSubscription, writeAssignment } from "./assignor.ts";
import type { Cluster } from "./cluster.ts";
import type { JoinAnswer } from "./wire/group-apis.ts";

/** What a group's leader does beside being a member: it gives each member its partitions. */
export class Sharing {
  readonly #cluster: Cluster;
  /** How many partitions each topic of the group had when we shared them; 0: it was not there. */
  #shared: ReadonlyMap<string, number> = new Map();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** What each member shall have, by its name. */
  async share({ members }: JoinAnswer): Promise<ReadonlyMap<string, Uint8Array>> {
    // What we know of topics that others read may be old.
    await this.#cluster.refresh();
    const subscriptions = new Map(members.map(({ member, subscription }) => [member, readSubscription(subscription)]));
    const counts = new Map<string, number>();
    for (const name of new Set([...subscriptions.values()].flatMap(({ topics }) => topics))) {
      try {
        counts.set(name, (await this.#cluster.topic(name)).leaders.length);
      } catch (error) {
        // Of a topic that is not there, nobody gets anything.
        if (asPubSubError(error).code !== "not_found") throw error;
        counts.set(name, 0);
      }
    }
    this.#shared = counts;
    const shared = assign(subscriptions, counts);
    return new Map([...shared].map(([member, assigned]) => [member, writeAssignment(assigned)]));
  }

  /** In a new generation another may lead. */
  forget(): void {
    this.#shared = new Map();
  }

  /** Whether there are partitions now that could not be shared. Those who read them may not ask: only who shared them knows how many there were. */
  async outdated(): Promise<boolean> {
    for (const [name, count] of this.#shared) {
      try {
        if ((await this.#cluster.topic(name)).leaders.length !== count) return true;
      } catch (error) {
        asPubSubError(error);
      }
    }
    return false;
  }
}
