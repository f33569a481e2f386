import type { Admin } from "../../pubsub/admin.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Connection, Reply } from "./connection.ts";
import { decodeEntry } from "./entry.ts";
import type { Servers } from "./servers.ts";
import { startId } from "./start.ts";

export function adminOf(servers: Servers): Admin {
  const at = (topic: string): Connection => {
    const node = servers.of(topic);
    if (!node) throw servers.unavailable();
    return node.read;
  };
  return {
    async topics(pattern) {
      const glob = pattern.replaceAll(/[\\?[\]]/g, "\\$&");
      return (await Promise.all(servers.nodes.map(({ read }) => scan(read, glob)))).flat();
    },
    async groups(topic) {
      const rows = await orNone(at(topic).call("xinfo", "GROUPS", topic));
      return rows.map((row) => {
        const { name, consumers, pending } = record(row as readonly Reply[]);
        return { group: String(name), consumers: Number(consumers), pending: Number(pending) };
      });
    },
    async deleteGroup(topic, group) {
      const [gone] = [await at(topic).call("xgroup", "DESTROY", topic, group)];
      if (gone === 0) throw new PubSubError("not_found", `there is no group ${group} on the topic ${topic}`, { permanent: true });
    },
    async seek(topic, group, to) {
      await at(topic).call("xgroup", "SETID", topic, group, startId(to));
    },
    async browse(topic, after, limit) {
      const from = after === undefined ? "-" : `(${after}`;
      const rows = (await at(topic).call("xrange", topic, from, "+", "COUNT", String(limit))) as readonly (readonly Reply[])[];
      return rows.map((row) => {
        const { position, data, attributes, key, publishedAt } = decodeEntry(row);
        return { topic, position, data, attributes, publishedAt, ...(key === undefined ? {} : { key }) };
      });
    },
    async remove(topic, positions) {
      if (positions.length > 0) await at(topic).call("xdel", topic, ...positions);
    },
  };
}

async function scan(connection: Connection, glob: string): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = (await connection.call("scan", cursor, "MATCH", glob, "COUNT", "1000", "TYPE", "stream")) as [Reply, Reply[]];
    found.push(...keys.map(String));
    cursor = String(next);
  } while (cursor !== "0");
  return found;
}

/** A topic that is not there has no groups. */
async function orNone(reply: Promise<Reply>): Promise<readonly Reply[]> {
  try {
    return (await reply) as readonly Reply[];
  } catch (error) {
    if (error instanceof PubSubError && /no such key/i.test(error.message)) return [];
    throw error;
  }
}

function record(row: readonly Reply[]): Readonly<Record<string, Reply>> {
  const fields: Record<string, Reply> = {};
  for (let at = 0; at + 1 < row.length; at += 2) fields[String(row[at])] = row[at + 1] ?? null;
  return fields;
}
