import type { DatabaseSync, StatementSync } from "node:sqlite";

export type GroupRow = [id: number, topic: number, name: string, upto: number, expiresAfter: number | null, idleSince: number | null];
export type PendingRow = [pos: number, failures: number, due: number];

/** What is on disk of the groups. `schema.ts` tells what the rows mean. */
export class GroupRows {
  readonly #all: StatementSync;
  readonly #insert: StatementSync;
  readonly #upto: StatementSync;
  readonly #setUpto: StatementSync;
  readonly #setIdle: StatementSync;
  readonly #delete: StatementSync;
  readonly #pending: StatementSync;
  readonly #put: StatementSync;
  readonly #erase: StatementSync;
  readonly #clear: StatementSync;

  constructor(db: DatabaseSync) {
    const prepare = (sql: string) => db.prepare(sql, { returnArrays: true });
    this.#all = prepare("SELECT id, topic, name, upto, expires_after, idle_since FROM grp");
    this.#insert = prepare("INSERT INTO grp(topic, name, upto, expires_after, idle_since) VALUES(?, ?, ?, ?, ?)");
    this.#upto = prepare("SELECT upto FROM grp WHERE id = ?");
    this.#setUpto = prepare("UPDATE grp SET upto = ? WHERE id = ?");
    this.#setIdle = prepare("UPDATE grp SET idle_since = ? WHERE id = ?");
    this.#delete = prepare("DELETE FROM grp WHERE id = ?");
    this.#pending = prepare("SELECT pos, failures, due FROM pending WHERE grp = ? ORDER BY pos");
    this.#put = prepare("INSERT OR REPLACE INTO pending(grp, pos, failures, due) VALUES(?, ?, ?, ?)");
    this.#erase = prepare("DELETE FROM pending WHERE grp = ? AND pos = ?");
    this.#clear = prepare("DELETE FROM pending WHERE grp = ?");
  }

  all(): GroupRow[] {
    return this.#all.all() as unknown as GroupRow[];
  }

  insert(topic: number, name: string, upto: number, expiresAfter: number | null, idleSince: number | null): number {
    return Number(this.#insert.run(topic, name, upto, expiresAfter, idleSince).lastInsertRowid);
  }

  upto(id: number): number {
    return (this.#upto.get(id) as unknown as [number])[0];
  }

  setUpto(id: number, upto: number): void {
    this.#setUpto.run(upto, id);
  }

  /** null: it has a reader. */
  setIdle(id: number, since: number | null): void {
    this.#setIdle.run(since, id);
  }

  delete(id: number): void {
    this.#clear.run(id);
    this.#delete.run(id);
  }

  pending(id: number): PendingRow[] {
    return this.#pending.all(id) as unknown as PendingRow[];
  }

  put(id: number, pos: number, failures: number, due: number): void {
    this.#put.run(id, pos, failures, due);
  }

  erase(id: number, pos: number): void {
    this.#erase.run(id, pos);
  }

  clear(id: number): void {
    this.#clear.run(id);
  }
}
