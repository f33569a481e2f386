import { within } from "../../pubsub/abort.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Attributes, Directory } from "./directory.ts";
import type { Queue } from "./entities.ts";
import { isMissing } from "./errors.ts";
import { type Candidate, findings, refusal } from "./findings.ts";
import type { Making } from "./making.ts";

type Request = Pick<SubscribeRequest, "topic" | "group">;
/** Finds a group's queue and admits it, unless nobody wants it. */
type LookUp = (request: Request) => Promise<unknown>;

/** A group's queue that may be read. */
export interface Admitted {
  readonly queue: Queue;
  readonly candidate: Required<Candidate>;
  /** The attributes of its subscription. */
  readonly subscription: Attributes;
}

const USUAL_RETENTION_S = 345_600;
/** How many queues are asked at once for what they are set to: settling goes on beside that. */
const MOST_INSPECTING = 8;

/**
 * Which queues may be read, and which must not, since their messages would be lost. What a queue is set to may be changed by others, so each
 * inspection asks all of them again. No queue is found or made here, and none changed, but that one which lost its policy is given one.
 */
export class Admission {
  readonly #options: SnsSqsOptions;
  readonly #directory: Directory;
  readonly #making: Making;
  /** By group, with what was seen of them last. */
  readonly #admitted = new Map<string, Admitted & { readonly findings: readonly Finding[] }>();
  /** By name. */
  readonly #refused = new Map<string, { readonly candidate: Candidate; readonly finding: Finding }>();
  #retentionMs: number | undefined;

  constructor(options: SnsSqsOptions, directory: Directory, making: Making) {
    this.#options = options;
    this.#directory = directory;
    this.#making = making;
  }

  get findings(): readonly Finding[] {
    const ofRefused = [...this.#refused.values()].map(({ finding }) => finding);
    return [...ofRefused, ...[...this.#admitted.values()].flatMap((admitted) => admitted.findings)];
  }

  /** The shortest time that a queue which was admitted keeps a message, in milliseconds. Undefined: none was yet. */
  get retentionMs(): number | undefined {
    return this.#retentionMs;
  }

  /** The group's queue. Undefined: it must be looked up, or is refused. */
  queueOf(request: Request): Queue | undefined {
    return this.#admitted.get(keyOf(request))?.queue;
  }

  refuses(name: string): boolean {
    return this.#refused.has(name);
  }

  /** Why it must not be read; that is remembered until it may be, or is gone. Undefined: it may. */
  refusal(candidate: Candidate, attributes: Attributes): PubSubError | undefined {
    const finding = refusal(candidate, attributes, this.#options);
    if (!finding) {
      this.#refused.delete(candidate.name);
      return undefined;
    }
    this.#refused.set(candidate.name, { candidate, finding });
    return new PubSubError("failed_precondition", `${finding.found} ${finding.remedy}`, { permanent: true });
  }

  /** One that there is no refusal of. `allowed`: SNS was allowed to fill it after its attributes were read. */
  admit(admitted: Admitted, attributes: Attributes, allowed: boolean): void {
    const { candidate, subscription } = admitted;
    const { name, url, group } = candidate;
    const found = findings({ name, url, topicArn: group.topicArn, attributes, subscription, allowed });
    this.#retentionMs = Math.min(
      this.#retentionMs ?? Number.POSITIVE_INFINITY,
      Number(attributes.MessageRetentionPeriod ?? USUAL_RETENTION_S) * 1_000,
    );
    this.#admitted.set(keyOf(group.request), { ...admitted, findings: found });
  }

  /** The group's queue must be looked up before it is read again. A refusal stays: it is of the queue, whoever wants it. */
  forget(request: Request): void {
    this.#admitted.delete(keyOf(request));
  }

  /**
   * Asks every queue once what it is set to now. One that must not be read any more is refused from now on, one that may be read again looked up.
   * What a queue does not tell, for whatever reason, stays as it was, and keeps nothing from the others.
   */
  async inspect(aws: Aws, lookUp: LookUp, signal: AbortSignal): Promise<void> {
    const candidates = [...this.#refused.values(), ...this.#admitted.values()].map(({ candidate }) => candidate).values();
    const one = async () => {
      for (const candidate of candidates) {
        await this.#inspect(aws, candidate, signal, lookUp).catch((error: unknown) => {
          if (isMissing(asPubSubError(error))) return this.#vanished(candidate, signal, lookUp);
        });
      }
    };
    await Promise.all(Array.from({ length: MOST_INSPECTING }, one));
  }

  /** Its subscription stands, and SNS drops what it cannot deliver. A group without a reader has nobody else who would notice. */
  async #vanished({ name, group }: Candidate, signal: AbortSignal, lookUp: LookUp): Promise<void> {
    this.#refused.delete(name);
    if (!group) return;
    this.forget(group.request);
    // What cannot be made now is, with the next look at what is subscribed to the topic.
    await within(lookUp(group.request), signal, "looking up a queue").catch(asPubSubError);
  }

  async #inspect(aws: Aws, candidate: Candidate, signal: AbortSignal, lookUp: LookUp): Promise<void> {
    const { url, group } = candidate;
    const attributes = await this.#directory.attributes(aws, url, signal);
    const refused = this.refusal(candidate, attributes);
    if (!group) return;
    const admitted = this.#admitted.get(keyOf(group.request));
    if (refused) this.forget(group.request);
    else if (admitted) await this.#admitAgain(aws, admitted, attributes, signal);
    else await within(lookUp(group.request), signal, "looking up a queue");
  }

  /** One that has no policy any more is given one, where that may be. */
  async #admitAgain(aws: Aws, admitted: Admitted, attributes: Attributes, signal: AbortSignal): Promise<void> {
    const { url, group } = admitted.candidate;
    const allows = !attributes.Policy && !this.#options.disableEntityManagement;
    this.admit(admitted, attributes, false);
    if (!allows) return;
    await within(this.#making.allow(aws, url, group.arn, group.topicArn), signal, "allowing SNS to fill a queue");
    this.admit(admitted, attributes, true);
  }
}

const keyOf = ({ topic, group }: Request): string => JSON.stringify([topic, group]);
