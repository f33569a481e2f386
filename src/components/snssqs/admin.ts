import type { Admin } from "../../pubsub/admin.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Aws } from "./client.ts";
import type { SnsSqsOptions } from "./config.ts";
import { Directory } from "./directory.ts";
import type { Entities } from "./entities.ts";
import { queueName, topicName } from "./names.ts";

/** Topics and queues that are not of our making are not listed. Of the readers only those of this sidecar are counted: SQS knows none. */
export function adminOf(
  aws: () => Promise<Aws>,
  entities: Entities,
  options: SnsSqsOptions,
  readers: (topic: string, group: string) => number,
): Admin {
  const directory = new Directory(options);
  const arnOf = async (client: Aws, topic: string): Promise<string | undefined> => {
    const end = `:${topicName(topic, options.fifo).name}`;
    for await (const arn of directory.topics(client)) if (arn.endsWith(end)) return arn;
    return undefined;
  };
  return {
    async topics(pattern) {
      const escaped = pattern.split("*").map((part) => part.replaceAll(/[\\^$.+?()[\]{}|]/g, "\\$&"));
      const matches = new RegExp(`^${escaped.join(".*")}$`, "s");
      const found: string[] = [];
      const client = await aws();
      for await (const arn of directory.topics(client)) {
        const topic = arn.endsWith(".fifo") === options.fifo ? await directory.topicOf(client, arn) : undefined;
        if (topic !== undefined && matches.test(topic)) found.push(topic);
      }
      return found;
    },
    async groups(topic) {
      const client = await aws();
      const arn = await arnOf(client, topic);
      // Who writes the `.fifo` means the same topic as who leaves it to us.
      const { name } = topicName(topic, options.fifo);
      const groups: string[] = [];
      if (arn !== undefined) {
        for await (const { endpoint } of directory.subscriptions(client, arn)) {
          const one = await directory.groupOf(client, endpoint);
          if (one && topicName(one.topic, options.fifo).name === name) groups.push(one.group);
        }
      }
      return Promise.all(
        groups.map(async (group) => {
          const url = await directory.queueUrl(client, queueName(topic, group, options.fifo).name);
          const attributes = url === undefined ? {} : await directory.attributes(client, url);
          const pending = Number(attributes.ApproximateNumberOfMessagesNotVisible ?? 0);
          return { group, consumers: readers(topic, group), pending };
        }),
      );
    },
    async deleteGroup(topic, group) {
      const client = await aws();
      const url = await directory.queueUrl(client, queueName(topic, group, options.fifo).name);
      if (url === undefined) throw new PubSubError("not_found", `there is no group ${group} on the topic ${topic}`, { permanent: true });
      const { QueueArn = "" } = await directory.attributes(client, url);
      const topicArn = await arnOf(client, topic);
      const subscription = topicArn === undefined ? undefined : await directory.subscription(client, topicArn, QueueArn);
      if (subscription !== undefined) {
        await client.call("Unsubscribe", (send) => client.sns.unsubscribe({ SubscriptionArn: subscription }, send));
      }
      await client.call("DeleteQueue", (send) => client.sqs.deleteQueue({ QueueUrl: url }, send));
      entities.dropGroup({ topic, group });
    },
  };
}
