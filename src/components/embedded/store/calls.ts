import { StoreError } from "../errors.ts";
import type { Call, CallKind, Calls } from "../protocol.ts";
import { type Catalog, parsePosition } from "./catalog.ts";
import type { Database } from "./database.ts";
import type { Group } from "./group.ts";
import { inspect } from "./inspect.ts";
import { Reader } from "./reader.ts";

/** What the answers to calls are made from. */
export interface Ground {
  readonly file: string;
  readonly db: Database;
  readonly catalog: Catalog;
  readonly readers: Map<number, Reader>;
  /** Readers that end with the group they are in. */
  readonly ended: number[];
  readonly now: number;
  readonly elapsed: number;
}

/** Answers a call. What it changes is committed when it returns. `flush` and `close` are the cycle's own business. */
export function answer(call: Call, ground: Ground): Calls[CallKind]["answer"] {
  const { catalog, db } = ground;
  switch (call.kind) {
    case "subscribe": {
      const [group] = catalog.ensureGroups(call.topic, [call.group], db, ground.now) as readonly [Group];
      const { order } = call;
      if (group.readers.length > 0 && group.ordered !== (order !== "none")) {
        const [asked, have] = group.ordered ? ["without", "in"] : ["in", "without"];
        const text = `the group ${group.name} on ${call.topic} cannot be read ${asked} order: its readers read it ${have} order, and all must do the same`;
        throw new StoreError("failed_precondition", text, false);
      }
      setIdle(group, null, db);
      const reader = new Reader(call.reader, group, order);
      if (order !== "none") {
        group.keepPlaces((pos) => reader.keepsPlace(db.log.read(group.topic, pos)?.[3] ?? null), ground.now, ground.elapsed);
      }
      group.readers.push(reader);
      ground.readers.set(reader.id, reader);
      return undefined;
    }
    case "unsubscribe": {
      const reader = ground.readers.get(call.reader);
      if (!reader) return undefined;
      ground.readers.delete(reader.id);
      const { group } = reader;
      group.detach(reader);
      if (group.readers.length === 0) setIdle(group, ground.now, db);
      return undefined;
    }
    case "ensure":
      catalog.ensureGroups(call.topic, call.groups, db, ground.now);
      return undefined;
    case "backlog": {
      const group = readerOf(call.reader, ground).group;
      group.unread ??= db.log.count(group.topic, group.next);
      const oldest = db.log.publishedAt(group.topic, group.floor);
      return { messages: group.unsettled + group.unread, oldestMs: oldest === undefined ? undefined : Math.max(0, ground.now - oldest) };
    }
    case "inspect":
      return inspect(ground.file, db);
    case "topics": {
      const escaped = call.pattern.split("*").map((part) => part.replaceAll(/[\\^$.+?()[\]{}|]/g, "\\$&"));
      const pattern = new RegExp(`^${escaped.join(".*")}$`, "s");
      return [...catalog.topics()].map(({ name }) => name).filter((name) => pattern.test(name));
    }
    case "groups": {
      const topic = catalog.topic(call.topic);
      if (!topic) return [];
      return [...catalog.groups(topic)].map((group) => ({ group: group.name, consumers: group.readers.length, pending: group.lent }));
    }
    case "deleteGroup":
      deleteGroup(catalog.group(call.topic, call.group), ground);
      return undefined;
    case "seek":
      catalog.seek(catalog.group(call.topic, call.group), call.to, db);
      return undefined;
    case "browse": {
      const topic = catalog.topic(call.topic);
      return topic ? db.log.browse(topic, call.after === undefined ? 0 : parsePosition(call.after), call.limit) : [];
    }
    case "remove": {
      const topic = catalog.topic(call.topic);
      if (!topic) return undefined;
      const positions = call.positions.map(parsePosition);
      topic.bytes -= db.transaction(() => {
        const freed = positions.reduce((sum, pos) => sum + db.log.remove(topic, pos), 0);
        db.log.addBytes(topic, -freed);
        return freed;
      });
      for (const group of catalog.groups(topic)) {
        group.unread = undefined;
        for (const pos of positions) group.forgetUnlent(pos);
      }
      return undefined;
    }
    case "ping":
    case "flush":
    case "close":
      return undefined;
  }
}

export function deleteGroup(group: Group, ground: Ground): void {
  ground.catalog.delete(group, ground.db);
  for (const reader of group.readers) {
    ground.readers.delete(reader.id);
    ground.ended.push(reader.id);
  }
}

/** Only a group that expires has its idle time on disk: to read and to leave must not need a write, or a full disk could not be drained. */
function setIdle(group: Group, since: number | null, db: Database): void {
  const written = group.expiresAfterMs !== null && group.idleSince !== since;
  group.idleSince = since;
  if (written) db.transaction(() => db.rows.setIdle(group.id, since));
}

function readerOf(id: number, ground: Ground): Reader {
  const reader = ground.readers.get(id);
  if (!reader) throw new StoreError("failed_precondition", "the subscription is closed");
  return reader;
}
