import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../../pubsub/subscription.ts";
import { Admission } from "./admission.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import { Directory, queueArn } from "./directory.ts";
import { isMissing } from "./errors.ts";
import { Making } from "./making.ts";
import { queueName } from "./names.ts";
import { Routes } from "./routes.ts";

/** The queue of a group, and how the topic's messages come into it. */
export interface Queue {
  readonly url: string;
  readonly arn: string;
  /** The body is delivered as it was published, not in a notification. */
  readonly raw: boolean;
  /** The ARN of the subscription that fills it. Undefined: whoever fills it. */
  readonly subscription?: string;
}

type Request = Pick<SubscribeRequest, "topic" | "group">;

/** Topics, queues and the subscriptions between them: found or made once, and remembered until AWS says that they are gone. Never changed. */
export class Entities {
  readonly #aws: () => Promise<Aws>;
  readonly #options: SnsSqsOptions;
  readonly #clock: Clock;
  readonly #directory: Directory;
  readonly #making: Making;
  readonly #admission: Admission;
  readonly #routes: Routes;
  /** Those that have all their wanted groups. */
  readonly #topics = new Map<string, string>();
  /** What is being made or looked up, by topic: one after the other. */
  readonly #working = new Map<string, Promise<unknown>>();
  /** Topics that are looked up or made at the moment: whoever asks meanwhile waits for the same. */
  readonly #finding = new Map<string, Promise<string>>();
  /** Topics that are asked for their queues beside publishing. */
  readonly #checking = new Set<string>();
  /** The groups that were asked for. Should their topic vanish, it is made again with them. */
  readonly #wanted = new Map<string, Map<string, Request>>();

  constructor(aws: () => Promise<Aws>, options: SnsSqsOptions, clock: Clock) {
    this.#aws = aws;
    this.#options = options;
    this.#clock = clock;
    this.#directory = new Directory(options);
    this.#making = new Making(options, this.#directory, clock);
    this.#admission = new Admission(options, this.#directory, this.#making);
    this.#routes = new Routes(this.#directory, clock);
  }

  /** What is known of the queues that are read, were made, or are refused. */
  get findings(): readonly Finding[] {
    return this.#admission.findings;
  }

  /** The shortest time that a queue which is read keeps a message, in milliseconds. Undefined: none is read yet. */
  get retentionMs(): number | undefined {
    return this.#admission.retentionMs;
  }

  /** The topic's ARN, if it is known that it is there and has a queue: without a promise for what is published again and again. */
  ready(topic: string): string | undefined {
    const believed = this.#options.onUnroutable === "accept" || this.#routes.isBelieved(topic);
    return believed ? this.#topics.get(topic) : undefined;
  }

  /** Finds the topic, or makes it, and sees that it has a queue (D16). */
  async publishable(topic: string): Promise<string> {
    const arn = this.#topics.get(topic) ?? (await this.#topicToPublish(topic));
    if (this.ready(topic) !== undefined) return arn;
    // It had a queue, and nothing says that it has none now: publishing does not wait for what is only asked to be sure.
    if (this.#routes.believeOn(topic)) void this.#checkAgain(topic, arn);
    else await this.#inTurn(topic, async () => this.ready(topic) ?? this.#checkRoute(topic, arn));
    return arn;
  }

  topic(topic: string): Promise<string> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return Promise.resolve(known);
    const finding = this.#finding.get(topic) ?? this.#inTurn(topic, () => this.#topic(topic)).finally(() => this.#finding.delete(topic));
    this.#finding.set(topic, finding);
    return finding;
  }

  /** The group's queue, subscribed to the topic. */
  group(request: Request): Promise<Queue> {
    const known = this.#admission.queueOf(request);
    return known ? Promise.resolve(known) : this.#inTurn(request.topic, () => this.#group(request));
  }

  /** A queue that a subscription names itself, whoever fills it: an older redrive policy, or another program. */
  async named(name: string, order: SubscribeRequest["order"]): Promise<Queue> {
    const aws = await this.#aws();
    const url = await this.#directory.queueUrl(aws, name);
    if (url === undefined) throw new PubSubError("not_found", `the queue ${name} is not there`, { permanent: true });
    const attributes = await this.#directory.attributes(aws, url);
    const refused = this.#admission.refusal({ name, url }, attributes);
    if (refused) throw refused;
    if ((order !== "none" || this.#options.fifo) && attributes.FifoQueue !== "true") {
      const what = `the queue ${name} is not FIFO, and so keeps no order`;
      throw new PubSubError("failed_precondition", `${what}: read it without order, by a component without fifo`, { permanent: true });
    }
    return { url, arn: attributes.QueueArn ?? "", raw: false };
  }

  /** Asks every queue once what it is set to now. One that may be read again is looked up, where its group is wanted. */
  async inspect(signal: AbortSignal): Promise<void> {
    const lookUp = async (request: Request) => this.wants(request) && this.group(request);
    await this.#admission.inspect(await this.#aws(), lookUp, signal);
  }

  /** It is the queue of a group, and may be read. */
  knows(request: Request): boolean {
    return this.#admission.queueOf(request) !== undefined;
  }

  /** The topics whose groups were asked for. */
  get wanted(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  /** The group was asked for, and nobody has left it since. */
  wants({ topic, group }: Request): boolean {
    return this.#wanted.get(topic)?.has(group) ?? false;
  }

  /** Looks whether the topic's groups are still subscribed to it, and subscribes them again if not: SNS tells nobody. */
  look(topic: string): Promise<void> {
    return this.#inTurn(topic, async () => {
      const arn = this.#topics.get(topic);
      if (arn !== undefined && !(await this.#stands(topic, arn))) this.forget(topic);
      await this.#topic(topic);
    });
  }

  /** AWS says that it is not there. */
  forget(topic: string): void {
    this.#topics.delete(topic);
    this.#routes.forget(topic);
    for (const request of this.#wanted.get(topic)?.values() ?? []) this.#admission.forget(request);
  }

  /** Nobody reads the group any more. It stays as long as it is left there, and is not made again. */
  leave(request: Request): void {
    this.#admission.forget(request);
    const groups = this.#wanted.get(request.topic);
    if (groups?.delete(request.group) && groups.size === 0) this.#wanted.delete(request.topic);
  }

  /** The group was deleted on purpose. */
  dropGroup(request: Request): void {
    this.forget(request.topic);
    this.leave(request);
  }

  /** Each topic's work in a row, whatever became of what was before it: two at once would make what the other is about to find. */
  #inTurn<T>(topic: string, work: () => Promise<T>): Promise<T> {
    const before = this.#working.get(topic) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#working.set(topic, mine);
    const over = () => {
      if (this.#working.get(topic) === mine) this.#working.delete(topic);
    };
    mine.then(over, over);
    return mine;
  }

  async #topic(topic: string): Promise<string> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const arn = await this.#making.topic(await this.#aws(), topic);
    // It was there before, with these groups: nobody else would subscribe them again. One that fails is no reason for the others to miss anything.
    const failed: PubSubError[] = [];
    for (const request of this.#wanted.get(topic)?.values() ?? []) {
      await this.#group(request).catch((error: unknown) => {
        const why = asPubSubError(error);
        if (!this.#refuses(request)) failed.push(why);
      });
    }
    if (failed[0]) throw failed[0];
    // Not before: what is published to it must reach them all.
    this.#topics.set(topic, arn);
    this.#routes.found(topic);
    return arn;
  }

  async #group(request: Request): Promise<Queue> {
    const known = this.#admission.queueOf(request);
    if (known) return known;
    const { topic, group } = request;
    const aws = await this.#aws();
    // The topic's other groups are no business of this one.
    const topicArn = this.#topics.get(topic) ?? (await this.#making.topic(aws, topic));
    const named = queueName(topic, group, this.#options.fifo);
    const arn = queueArn(topicArn, named.name);
    const { url, made } = await this.#making.queue(aws, named, arn, topicArn, request);
    if (made) await this.#making.settled();
    const attributes = await this.#directory.attributes(aws, url);
    const candidate = { name: named.name, url, group: { request: { topic, group }, arn, topicArn } };
    const refused = this.#admission.refusal(candidate, attributes);
    if (refused) {
      // What was read until then is to be there when it may be read again.
      if (this.wants(request)) await this.#making.subscription(aws, topicArn, arn, request);
      throw refused;
    }
    const allows = !attributes.Policy;
    if (allows && this.#options.disableEntityManagement) throw this.#directory.missingPolicy(url, arn, topicArn, request);
    if (allows) await this.#making.allow(aws, url, arn, topicArn);
    const subscription = await this.#making.subscription(aws, topicArn, arn, request);
    if (allows || (!made && this.#isYoung(attributes))) await this.#making.settled();
    const queue: Queue = { url, arn, raw: subscription.attributes.RawMessageDelivery === "true", subscription: subscription.arn };
    this.#admission.admit({ queue, candidate, subscription: subscription.attributes }, attributes, allows);
    this.#want(request);
    this.#routes.believe(topic);
    return queue;
  }

  #refuses({ topic, group }: Request): boolean {
    return this.#admission.refuses(queueName(topic, group, this.#options.fifo).name);
  }

  /** One that is refused is as it was: nobody subscribes it anew until it may be read. */
  async #stands(topic: string, arn: string): Promise<boolean> {
    const needed = [...(this.#wanted.get(topic)?.values() ?? [])].filter((request) => !this.#refuses(request));
    const subscriptions = needed.map((request) => this.#admission.queueOf(request)?.subscription);
    return this.#directory.subscribed(await this.#aws(), arn, subscriptions);
  }

  /** Another one has made it just now, or we have, before a call failed. */
  #isYoung({ CreatedTimestamp = "0" }: Readonly<Record<string, string>>): boolean {
    return this.#clock.now() - Number(CreatedTimestamp) * 1_000 < this.#options.createWait;
  }

  /** One that is missing is not looked for by each publish again: that may be a list of all topics. Who makes it says so by `topic`. */
  async #topicToPublish(topic: string): Promise<string> {
    this.#routes.refuse(topic);
    try {
      return await this.topic(topic);
    } catch (thrown) {
      const error = asPubSubError(thrown);
      if (error.code === "not_found" && error.permanent) this.#routes.remember(topic, error);
      throw error;
    }
  }

  async #checkAgain(topic: string, arn: string): Promise<void> {
    if (this.#checking.has(topic)) return;
    this.#checking.add(topic);
    try {
      await this.#inTurn(topic, () => this.#checkRoute(topic, arn));
    } catch (error) {
      // Who publishes next is told.
      asPubSubError(error);
    } finally {
      this.#checking.delete(topic);
    }
  }

  async #checkRoute(topic: string, topicArn: string): Promise<void> {
    try {
      await this.#routes.check(await this.#aws(), topic, topicArn);
    } catch (error) {
      if (isMissing(asPubSubError(error))) this.forget(topic);
      throw error;
    }
  }

  #want(request: Request): void {
    const groups = this.#wanted.get(request.topic) ?? new Map<string, Request>();
    this.#wanted.set(request.topic, groups.set(request.group, { topic: request.topic, group: request.group }));
  }
}
