import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Stored } from "../../../pubsub/admin.ts";

/** A topic as the worker knows it. Loaded whole when the store opens. */
export interface Topic {
  readonly id: number;
  readonly name: string;
  /** The position of its newest message; a group whose cursor is past it has nothing to read. */
  last: number;
  bytes: number;
}

/** A row of `message`, in the order in which it is selected. */
export type Row = [pos: number, at: number, expires: number | null, key: string | null, attrs: string | null, data: Uint8Array];

type TrimRow = [pos: number, at: number, bytes: number];

/** Most that one page of `browse` brings. */
const BROWSE_BYTES = 16 * 2 ** 20;
const COLUMNS = "pos, at, expires, key, attrs, data";
const BYTES = "length(data) + coalesce(length(attrs), 0)";

/** No group of the topic has a row for it: a message that fails for ever keeps none of those behind it. */
const SETTLED =
  "NOT EXISTS (SELECT 1 FROM grp JOIN pending ON pending.grp = grp.id AND pending.pos = message.pos WHERE grp.topic = message.topic)";

/** The messages on disk: append-only, deleted from the front. */
export class Log {
  readonly #insertTopic: StatementSync;
  readonly #topics: StatementSync;
  readonly #addBytes: StatementSync;
  readonly #append: StatementSync;
  readonly #read: StatementSync;
  readonly #readFrom: StatementSync;
  readonly #firstSince: StatementSync;
  readonly #count: StatementSync;
  readonly #oldest: StatementSync;
  readonly #front: StatementSync;
  readonly #trim: StatementSync;
  readonly #remove: StatementSync;
  readonly #delay: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #due: StatementSync;
  readonly #promote: StatementSync;
  readonly #undelay: StatementSync;
  readonly #lastPosition: StatementSync;

  constructor(db: DatabaseSync) {
    const prepare = (sql: string) => db.prepare(sql, { returnArrays: true });
    this.#insertTopic = prepare("INSERT INTO topic(name) VALUES(?)");
    this.#topics = prepare("SELECT id, name, bytes, coalesce((SELECT max(pos) FROM message WHERE topic = topic.id), 0) FROM topic");
    this.#addBytes = prepare("UPDATE topic SET bytes = bytes + ? WHERE id = ?");
    this.#append = prepare("INSERT INTO message(topic, at, expires, key, attrs, data) VALUES(?, ?, ?, ?, ?, ?)");
    this.#read = prepare(`SELECT ${COLUMNS} FROM message WHERE pos = ? AND topic = ?`);
    this.#readFrom = prepare(`SELECT ${COLUMNS} FROM message WHERE topic = ? AND pos >= ? ORDER BY pos LIMIT ?`);
    this.#firstSince = prepare("SELECT pos FROM message WHERE topic = ? AND at >= ? ORDER BY pos LIMIT 1");
    this.#count = prepare("SELECT count(*) FROM message WHERE topic = ? AND pos >= ?");
    this.#oldest = prepare("SELECT at FROM message WHERE topic = ? AND pos >= ? ORDER BY pos LIMIT 1");
    this.#front = prepare(`SELECT pos, at, ${BYTES} FROM message WHERE topic = ? AND pos < ? AND ${SETTLED} ORDER BY pos LIMIT ?`);
    this.#trim = prepare(`DELETE FROM message WHERE topic = ? AND pos <= ? AND ${SETTLED}`);
    this.#remove = prepare(`DELETE FROM message WHERE pos = ? AND topic = ? RETURNING ${BYTES}`);
    this.#delay = prepare("INSERT INTO delayed(due, topic, expires, key, attrs, data) VALUES(?, ?, ?, ?, ?, ?)");
    this.#nextDue = prepare("SELECT min(due) FROM delayed");
    this.#due = prepare(`SELECT n, topic, expires, ${BYTES} FROM delayed WHERE due <= ? ORDER BY due, n LIMIT ?`);
    this.#promote = prepare(
      "INSERT INTO message(topic, at, expires, key, attrs, data) SELECT topic, ?, expires, key, attrs, data FROM delayed WHERE n = ?",
    );
    this.#undelay = prepare("DELETE FROM delayed WHERE n = ?");
    this.#lastPosition = prepare("SELECT seq FROM sqlite_sequence WHERE name = 'message'");
  }

  topics(): Topic[] {
    return rows<[number, string, number, number]>(this.#topics).map(([id, name, bytes, last]) => ({ id, name, last, bytes }));
  }

  createTopic(name: string): Topic {
    return { id: Number(this.#insertTopic.run(name).lastInsertRowid), name, last: 0, bytes: 0 };
  }

  addBytes(topic: Topic, bytes: number): void {
    this.#addBytes.run(bytes, topic.id);
  }

  append(topic: Topic, at: number, expires: number | null, key: string | null, attrs: string | null, data: Uint8Array): number {
    return Number(this.#append.run(topic.id, at, expires, key, attrs, data).lastInsertRowid);
  }

  read(topic: Topic, pos: number): Row | undefined {
    return this.#read.get(pos, topic.id) as Row | undefined;
  }

  /** In order, lazily: stop when enough was read. Not to be kept open. */
  readFrom(topic: Topic, pos: number, limit: number): IterableIterator<Row> {
    return this.#readFrom.iterate(topic.id, pos, limit) as unknown as IterableIterator<Row>;
  }

  /** Fewer than `limit` where they are large; none only where there are none. */
  browse(topic: Topic, after: number, limit: number): Stored[] {
    const page: Stored[] = [];
    let bytes = 0;
    for (const [pos, at, , key, attrs, data] of this.readFrom(topic, after + 1, limit)) {
      const attributes = attrs === null ? {} : (JSON.parse(attrs) as Record<string, string>);
      page.push({ topic: topic.name, position: String(pos), publishedAt: at, data, attributes, ...(key === null ? {} : { key }) });
      bytes += data.byteLength + (attrs?.length ?? 0);
      if (bytes >= BROWSE_BYTES) break;
    }
    return page;
  }

  /** The first position that was published at `time` or later, if there is one. */
  firstSince(topic: Topic, time: number): number | undefined {
    return scalar(this.#firstSince, topic.id, time);
  }

  count(topic: Topic, from: number): number {
    return scalar(this.#count, topic.id, from) ?? 0;
  }

  /** When the first message at or after `from` was published. */
  publishedAt(topic: Topic, from: number): number | undefined {
    return scalar(this.#oldest, topic.id, from);
  }

  /** The newest position ever given, over all topics. */
  lastPosition(): number {
    return scalar(this.#lastPosition) ?? 0;
  }

  /** Up to `limit` of the oldest messages before `end` that no group needs any more, lazily. Not to be kept open. */
  front(topic: Topic, end: number, limit: number): IterableIterator<TrimRow> {
    return this.#front.iterate(topic.id, end, limit) as unknown as IterableIterator<TrimRow>;
  }

  trim(topic: Topic, last: number): void {
    this.#trim.run(topic.id, last);
  }

  /** The bytes that it frees, 0 when it is not there. */
  remove(topic: Topic, pos: number): number {
    return scalar(this.#remove, pos, topic.id) ?? 0;
  }

  delay(topic: Topic, due: number, expires: number | null, key: string | null, attrs: string | null, data: Uint8Array): void {
    this.#delay.run(due, topic.id, expires, key, attrs, data);
  }

  nextDue(): number | undefined {
    return scalar(this.#nextDue);
  }

  due(now: number, limit: number): [n: number, topic: number, expires: number | null, bytes: number][] {
    return rows(this.#due, now, limit);
  }

  /** Makes a delayed message an ordinary one. */
  promote(n: number, at: number): number {
    const pos = Number(this.#promote.run(at, n).lastInsertRowid);
    this.#undelay.run(n);
    return pos;
  }

  dropDelayed(n: number): void {
    this.#undelay.run(n);
  }
}

const rows = <T>(statement: StatementSync, ...values: (number | string)[]): T[] => statement.all(...values) as unknown as T[];

function scalar(statement: StatementSync, ...values: (number | string)[]): number | undefined {
  const row = statement.get(...values) as unknown as [number | null] | undefined;
  return row?.[0] ?? undefined;
}
