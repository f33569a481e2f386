import { type Fields, PlayedRemoting, type PlayedReply } from "./played-remoting.fixture.ts";
import { Answer, Request } from "./remoting.ts";

export const MIN = 10;
export const MAX = 99;

/** A broker that has the topic, and keeps where groups are. */
export class PlayedBroker {
  /** By the queue's number. */
  readonly offsets = new Map<number, number>();
  /** The groups that it has. */
  readonly groups: Record<string, { readonly consumeMessageOrderly: boolean; readonly retryMaxTimes: number }> = {};
  /** Where each queue ends. */
  max = MAX;
  /** What happens at the broker once it has answered. */
  answered: (code: number, queue: number) => void = () => undefined;
  /** What was asked and what was answered, of the requests that write; one for all brokers of a test. */
  readonly #log: string[];
  readonly remoting: PlayedRemoting;
  readonly #queues: number;

  constructor(queues: number, log: string[] = []) {
    this.#queues = queues;
    this.#log = log;
    this.remoting = new PlayedRemoting(async (code, fields, body) => {
      const reply = await this.#answer(code, fields, body);
      this.answered(code, Number(fields.queueId));
      return reply;
    });
  }

  /** Where a group is in each queue. */
  get where(): readonly number[] {
    return [...this.offsets].sort(([a], [b]) => a - b).map(([, offset]) => offset);
  }

  async #answer(code: number, fields: Fields, body: string): Promise<PlayedReply> {
    const queue = Number(fields.queueId);
    switch (code) {
      case Request.allGroups:
        return { body: JSON.stringify({ subscriptionGroupTable: this.groups }) };
      case Request.updateGroup:
        this.#log.push(`group ${JSON.parse(body).groupName}`);
        return {};
      case Request.topicConfig:
        return { body: JSON.stringify({ readQueueNums: this.#queues }) };
      case Request.queryConsumerOffset:
        return this.offsets.has(queue) ? { fields: { offset: String(this.offsets.get(queue)) } } : { code: Answer.noOffset };
      case Request.minOffset:
        return { fields: { offset: String(MIN) } };
      case Request.maxOffset:
        return { fields: { offset: String(this.max) } };
      case Request.updateConsumerOffset:
        this.#log.push(`writes ${queue}`);
        await new Promise((resolve) => setImmediate(resolve));
        this.offsets.set(queue, Number(fields.commitOffset));
        this.#log.push(`wrote ${queue}`);
        return {};
      default:
        throw new Error(`request ${code} is not played`);
    }
  }
}
