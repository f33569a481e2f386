import type { Start } from "../../../pubsub/subscription.ts";
import { StoreError } from "../errors.ts";
import type { GroupSpec } from "../protocol.ts";
import type { Database } from "./database.ts";
import { Group } from "./group.ts";
import type { Topic } from "./log.ts";

/** All topics and groups, in memory. A change is committed before it shows here. */
export class Catalog {
  readonly #topics = new Map<string, Topic>();
  readonly #byId = new Map<number, Topic>();
  readonly #groups = new Map<Topic, Map<string, Group>>();

  load(db: Database, now: number, elapsed: number): void {
    for (const topic of db.log.topics()) this.#add(topic);
    for (const [id, topicId, name, upto, expiresAfter, idleSince] of db.rows.all()) {
      const topic = this.topicById(topicId);
      const group = new Group(id, topic, name, upto, expiresAfter, idleSince ?? now);
      group.load(db.rows, now, elapsed);
      this.#groups.get(topic)?.set(name, group);
    }
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  topicById(id: number): Topic {
    return this.#byId.get(id) as Topic;
  }

  topics(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  groups(topic: Topic): IterableIterator<Group> {
    return (this.#groups.get(topic) as Map<string, Group>).values();
  }

  *allGroups(): Generator<Group> {
    for (const groups of this.#groups.values()) yield* groups.values();
  }

  ensureTopics(names: readonly string[], db: Database): void {
    const missing = names.filter((name) => !this.#topics.has(name));
    if (missing.length === 0) return;
    for (const topic of db.transaction(() => missing.map((name) => db.log.createTopic(name)))) this.#add(topic);
  }

  ensureGroups(topicName: string, specs: readonly GroupSpec[], db: Database, now: number): readonly Group[] {
    this.ensureTopics([topicName], db);
    const topic = this.#topics.get(topicName) as Topic;
    const groups = this.#groups.get(topic) as Map<string, Group>;
    const missing = specs.filter(({ group }) => !groups.has(group));
    if (missing.length > 0) {
      const created = db.transaction(() =>
        missing.map(({ group, start, expiresAfterMs }) => {
          const upto = startPosition(topic, start, db);
          return new Group(db.rows.insert(topic.id, group, upto, expiresAfterMs, now), topic, group, upto, expiresAfterMs, now);
        }),
      );
      for (const group of created) groups.set(group.name, group);
    }
    return specs.map(({ group }) => groups.get(group) as Group);
  }

  group(topicName: string, name: string): Group {
    const topic = this.#topics.get(topicName);
    const group = topic && this.#groups.get(topic)?.get(name);
    if (!group) throw new StoreError("not_found", `topic ${topicName} has no group ${name}`);
    return group;
  }

  delete(group: Group, db: Database): void {
    db.transaction(() => db.rows.delete(group.id));
    this.#groups.get(group.topic)?.delete(group.name);
  }

  seek(group: Group, to: Start, db: Database): void {
    const upto = startPosition(group.topic, to, db);
    db.transaction(() => {
      db.rows.clear(group.id);
      db.rows.setUpto(group.id, upto);
    });
    group.moveTo(upto);
  }

  #add(topic: Topic): void {
    this.#topics.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    this.#groups.set(topic, new Map());
  }
}

function startPosition(topic: Topic, start: Start, db: Database): number {
  if (start === "earliest") return 1;
  const end = db.log.lastPosition() + 1;
  if (start === "latest") return end;
  if ("time" in start) return db.log.firstSince(topic, start.time) ?? end;
  // What is beyond the end would be missed when it comes.
  return Math.min(parsePosition(start.position), end);
}

export function parsePosition(text: string): number {
  const position = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(position)) return position;
  throw new StoreError("invalid_argument", `position ${JSON.stringify(text)} is not a whole number`);
}
