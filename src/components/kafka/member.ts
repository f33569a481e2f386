import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import { PROTOCOL, readAssignment, writeSubscription } from "./assignor.ts";
import type { Cluster, Lane } from "./cluster.ts";
import { AnsweredError, coordinatedElsewhere, ensureNone, isOut, KAFKA, numberOf } from "./errors.ts";
import { Sharing } from "./sharing.ts";
import { heartbeat, type JoinAnswer, joinGroup, leaveGroup, type Membership, syncGroup } from "./wire/group-apis.ts";

const AGAIN: Backoff = { firstMs: 50, mostMs: 2_000 };

/** For whom it is a member. */
export interface Represented {
  readonly cluster: Cluster;
  readonly group: string;
  /** What it reads; none: it only visits, to be known in the group. */
  readonly topic: string | undefined;
  /** The partitions that it has. */
  readonly owned: readonly number[];
  /** It shall have these, and no others. Resolves once it is so, to whether it gave any up. Rejects with a PubSubError. */
  assigned(partitions: readonly number[]): Promise<boolean>;
  /** The group goes on without it: it has nothing any more. */
  out(error: PubSubError): void;
  /** An error that trying again will not mend. */
  refused(error: PubSubError): void;
  /** Something went wrong, and is tried again; or goes on (none). */
  troubled(error?: PubSubError): void;
}

/**
 * A member of a consumer group. It joins, gives sign of life, and joins again when the group changes, for as long as it is wanted. It keeps
 * its partitions meanwhile, and gives up only those that another one shall have.
 */
export class Member {
  readonly #represented: Represented;
  readonly #lane: Lane;
  readonly #clock: Clock;
  #id = "";
  #generation = -1;
  #joining = false;
  /** When the coordinator last showed that it knows us, on our own clock. */
  #heard = 0;
  #wanted = false;
  #running: Promise<void> = Promise.resolve();
  #failures = 0;
  readonly #sharing: Sharing;
  #change = Promise.withResolvers<void>();
  #joined = Promise.withResolvers<void>();
  #cancelBeat: () => void = () => undefined;
  #cancelExpiry: () => void = () => undefined;

  constructor(represented: Represented, lane: Lane) {
    this.#represented = represented;
    this.#sharing = new Sharing(represented.cluster);
    this.#lane = lane;
    this.#clock = represented.cluster.ground.clock;
  }

  /** Who it is in the group's present generation. Undefined: it is not in it. */
  get membership(): Membership | undefined {
    if (this.#generation < 0) return undefined;
    return { group: this.#represented.group, generation: this.#generation, member: this.#id };
  }

  /** It is between two generations: what is refused now may be taken in a moment. */
  get joining(): boolean {
    return this.#joining;
  }

  /** Resolves when it is in the group. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#running = this.#running.then(() => this.#run());
  }

  /** The group shall share its partitions anew. */
  rejoin(): void {
    this.#change.resolve();
  }

  /** Leaves the group. What it has must be given up before. Resolves also when the coordinator cannot be told: the session then ends by itself. */
  async stop(tell = true): Promise<void> {
    this.#wanted = false;
    this.#cancelBeat();
    this.#cancelExpiry();
    this.#change.resolve();
    this.#represented.cluster.closeLane(this.#lane);
    const { group, cluster } = this.#represented;
    const member = this.#id;
    this.#forget();
    if (!tell || member === "") return;
    try {
      await cluster.askCoordinator(group, leaveGroup, { group, member });
    } catch (error) {
      asPubSubError(error);
    }
  }

  /** The coordinator does not know us in our generation. */
  outOf(error: PubSubError): void {
    // Of another generation: it knows us yet, by our name.
    const name = numberOf(error) === KAFKA.illegalGeneration ? this.#id : "";
    this.#forget();
    this.#id = name;
    this.#end(error);
  }

  #end(error: PubSubError): void {
    this.#represented.out(error);
    this.#change.resolve();
  }

  #forget(): void {
    this.#id = "";
    this.#generation = -1;
    this.#cancelBeat();
    this.#cancelExpiry();
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      try {
        this.#change = Promise.withResolvers();
        await this.#join();
        this.#failures = 0;
        this.#represented.troubled();
        await this.#change.promise;
      } catch (error) {
        if (this.#wanted) await this.#failed(asPubSubError(error));
      }
    }
  }

  async #failed(error: PubSubError): Promise<void> {
    const { cluster, group } = this.#represented;
    this.#failures += 1;
    if (isOut(error)) this.outOf(error);
    else if (error.permanent) {
      this.#wanted = false;
      this.#represented.refused(error);
      return;
    }
    if (coordinatedElsewhere(error) || error.code === "unavailable") cluster.forgetCoordinator(group);
    // Joining again is how a rebalance goes, and no trouble.
    if (numberOf(error) === KAFKA.rebalanceInProgress) return;
    this.#represented.troubled(error);
    await new Promise<void>((resolve) => this.#clock.after(waitMs(AGAIN, this.#failures, this.#clock.random()), resolve));
  }

  async #join(): Promise<void> {
    const { cluster, group, topic } = this.#represented;
    const { rebalanceTimeout, readTimeout } = cluster.ground.options;
    const patience = rebalanceTimeout + readTimeout;
    let mine: readonly number[];
    this.#joining = true;
    try {
      const connection = await cluster.coordinator(group, this.#lane);
      const answer = await this.#enter((query) => connection.call(joinGroup, query, patience));
      this.#id = answer.member;
      this.#generation = answer.generation;
      this.#sharing.forget();
      const assignments = answer.leader === answer.member ? await this.#sharing.share(answer) : new Map<string, Uint8Array>();
      const asked = this.#clock.elapsed();
      const membership = { group, generation: answer.generation, member: answer.member };
      const { error, assignment } = await connection.call(syncGroup, { ...membership, assignments }, patience);
      ensureNone(`joining the group ${group}`, error);
      mine = readAssignment(assignment).flatMap((one) => (one.topic === topic ? one.partitions : []));
      this.#hear(asked);
    } finally {
      this.#joining = false;
      cluster.closeLane(this.#lane);
    }
    if (!this.#wanted) return;
    this.#beatLater();
    this.#joined.resolve();
    if (await this.#represented.assigned(mine)) this.#change.resolve();
  }

  /** A new member is first told its name. */
  async #enter(ask: (query: Parameters<typeof joinGroup.write>[1]) => Promise<JoinAnswer>): Promise<JoinAnswer> {
    const { cluster, group, topic, owned } = this.#represented;
    const { sessionTimeout, rebalanceTimeout } = cluster.ground.options;
    const topics = topic === undefined ? [] : [topic];
    const subscription = writeSubscription({
      topics,
      owned: topic === undefined || owned.length === 0 ? [] : [{ topic, partitions: owned }],
      generation: this.#generation,
    });
    for (;;) {
      const query = {
        group,
        member: this.#id,
        sessionTimeoutMs: sessionTimeout,
        rebalanceTimeoutMs: rebalanceTimeout,
        protocol: PROTOCOL,
        subscription,
      };
      const answer = await ask(query);
      if (answer.error === KAFKA.memberIdRequired && this.#wanted) this.#id = answer.member;
      else if (answer.error === KAFKA.inconsistentProtocol) throw new AnsweredError(foreign(group), answer.error);
      else {
        ensureNone(`joining the group ${group}`, answer.error);
        return answer;
      }
    }
  }

  /** An interval after the last one was asked, however long its answer took. */
  #beatLater(asked = this.#clock.elapsed()): void {
    this.#cancelBeat();
    if (this.#generation < 0 || !this.#wanted) return;
    const due = asked + this.#represented.cluster.ground.options.heartbeatInterval;
    this.#cancelBeat = this.#clock.after(Math.max(0, due - this.#clock.elapsed()), () => void this.#beat());
  }

  async #beat(): Promise<void> {
    const { membership } = this;
    const { cluster, group } = this.#represented;
    if (!membership) return;
    const asked = this.#clock.elapsed();
    try {
      // Where a commit waits for the coordinator's own replicas, this would wait behind it.
      const number = await cluster.askCoordinator(group, heartbeat, membership, "heartbeat");
      if (number === KAFKA.none || number === KAFKA.rebalanceInProgress) this.#hear(asked);
      if (number === KAFKA.rebalanceInProgress) this.#changes(membership);
      else {
        ensureNone(`the heartbeat of ${group}`, number);
        if (!this.#joining) this.#represented.troubled();
        void this.#shareAnew(membership);
      }
    } catch (error) {
      this.#beatFailed(asPubSubError(error), membership);
    }
    this.#beatLater(asked);
  }

  async #shareAnew(membership: Membership): Promise<void> {
    if (await this.#sharing.outdated()) this.#changes(membership);
  }

  /** Unless we are joining already, or the coordinator speaks of a generation that has passed. */
  #changes({ generation }: Membership): void {
    if (!this.#joining && generation === this.#generation) this.#change.resolve();
  }

  #beatFailed(error: PubSubError, { generation }: Membership): void {
    const { cluster, group } = this.#represented;
    if (isOut(error)) {
      // It speaks of a generation that has passed.
      if (!this.#joining && generation === this.#generation) this.outOf(error);
      return;
    }
    cluster.forgetCoordinator(group);
    if (!this.#joining) this.#represented.troubled(error);
  }

  /** `asked`: when that was asked which the coordinator has just answered. */
  #hear(asked: number): void {
    this.#heard = Math.max(this.#heard, asked);
    this.#cancelExpiry();
    const { sessionTimeout } = this.#represented.cluster.ground.options;
    const left = this.#heard + sessionTimeout - this.#clock.elapsed();
    this.#cancelExpiry = this.#clock.after(Math.max(0, left), () => {
      const { group } = this.#represented;
      // It may know us yet, by our name.
      const name = this.#id;
      this.#forget();
      this.#id = name;
      this.#end(
        new PubSubError(
          "unavailable",
          `the coordinator of ${group} was not heard for ${sessionTimeout} ms: others may have our partitions`,
        ),
      );
    });
  }
}

const foreign = (group: string): string =>
  `joining the group ${group}: its members share partitions in another way (an older Layotto, Dapr, or a client without cooperative-sticky); stop them first`;
