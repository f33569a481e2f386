import type { Admin } from "../../pubsub/admin.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Broker } from "./broker.ts";
import type { Group } from "./group.ts";
import { positionFrom } from "./topic-log.ts";

export function adminOf(broker: Broker): Admin {
  const groupOf = (topic: string, name: string): Group => {
    const group = broker.topics.get(topic)?.groups.get(name);
    if (!group) throw new PubSubError("not_found", `there is no group ${name} on the topic ${topic}`, { permanent: true });
    return group;
  };
  return {
    topics: (pattern) => {
      const escaped = pattern.split("*").map((part) => part.replaceAll(/[\\^$.+?()[\]{}|]/g, "\\$&"));
      const matches = new RegExp(`^${escaped.join(".*")}$`, "s");
      return Promise.resolve([...broker.topics.keys()].filter((name) => matches.test(name)));
    },
    groups: (topic) => {
      const pending = (group: Group) => [...group.held.values()].filter(({ reader }) => reader).length;
      const groups = [...(broker.topics.get(topic)?.groups.values() ?? [])];
      return Promise.resolve(groups.map((group) => ({ group: group.name, consumers: group.consumers, pending: pending(group) })));
    },
    async deleteGroup(topic, group) {
      groupOf(topic, group).delete(new PubSubError("not_found", `the group ${group} on the topic ${topic} was deleted`));
    },
    async seek(topic, group, to) {
      const one = groupOf(topic, group);
      one.seek(one.log.positionOf(to));
    },
    async browse(topic, after, limit) {
      const from = after === undefined ? 0 : positionFrom(after);
      const entries = [...(broker.topics.get(topic)?.entries.values() ?? [])].filter(({ position }) => position > from);
      return entries.slice(0, limit).map(({ position, data, attributes, key, publishedAt }) => ({
        topic,
        position: String(position),
        data,
        attributes,
        publishedAt,
        ...(key === undefined ? {} : { key }),
      }));
    },
    async remove(topic, positions) {
      const log = broker.topics.get(topic);
      for (const position of positions.map(Number)) {
        log?.remove(position);
        for (const group of log?.groups.values() ?? []) group.forget(position);
      }
    },
  };
}
