import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { FullError, isFull, StoreError, sqliteCode } from "../errors.ts";
import { GroupRows } from "./group-rows.ts";
import { Log } from "./log.ts";
import { pragma, prepareSchema } from "./schema.ts";

const CHECKPOINT_BYTES = 4 * 2 ** 20;
/** What a commit writes to the log besides the messages: a handful of pages of tables and indexes. */
const COMMIT_BYTES = 24 * 1024;
/** Free space in the file below this many pages is kept for the next messages; more is given back to the file system. */
const SPARE_PAGES = 4096;
const VACUUM_PAGES = 1024;
/**
 * Of `maxBytes` this part, up to a bound, is not for messages: what fails or waits needs a row for each group before retention can delete
 * what the others are done with.
 */
const RESERVE = 1 / 8;
const MOST_RESERVED_BYTES = 64 * 2 ** 20;
/** Codes after which the handle can be used as before. */
const HARMLESS = new Set([5 /* busy */, 13 /* full */, 19 /* constraint */]);

/** One open handle on the file, and its transactions. After an I/O error it is spoiled: never used again, another one is opened. */
export class Database {
  readonly log: Log;
  readonly rows: GroupRows;
  readonly #db: DatabaseSync;
  readonly #pages: StatementSync;
  readonly #freePages: StatementSync;
  readonly #mostPages: number;
  #spoiled = false;
  #unsure = false;
  #walBytes = CHECKPOINT_BYTES;

  constructor(file: string, maxBytes: number | undefined) {
    this.#db = new DatabaseSync(file, { timeout: 500 });
    try {
      this.#db.exec("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
      if (process.platform === "darwin") this.#db.exec("PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1");
      prepareSchema(this.#db, file);
      this.#settle();
      this.#pages = this.#db.prepare("PRAGMA page_count", { returnArrays: true });
      this.#freePages = this.#db.prepare("PRAGMA freelist_count", { returnArrays: true });
      this.#mostPages = this.#limit(maxBytes);
      this.log = new Log(this.#db);
      this.rows = new GroupRows(this.#db);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get spoiled(): boolean {
    return this.#spoiled;
  }

  /** True when the last transaction failed in its commit: what it wrote may be there all the same. */
  get unsure(): boolean {
    return this.#unsure;
  }

  pragma(name: string): unknown {
    return pragma(this.#db, name);
  }

  /** Runs `work` and commits it, or leaves nothing of it. `bytes`: about how much it writes. */
  transaction<T>(work: () => T, bytes = 0): T {
    this.#unsure = false;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#unsure = true;
      this.#db.exec("COMMIT");
      this.#unsure = false;
      this.#walBytes += COMMIT_BYTES + bytes;
      return result;
    } catch (error) {
      const code = sqliteCode(error);
      if (code !== undefined && !HARMLESS.has(code)) this.#spoiled = true;
      else if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** At the end of a transaction that stores messages. Throws when what is kept for settlements would be used up by them. */
  leaveRoom(): void {
    if (this.#mostPages === Number.POSITIVE_INFINITY || this.#used <= this.#mostPages) return;
    throw new FullError("it would become larger than `maxBytes`, but for what settling needs");
  }

  /** Moves what has gathered in the write-ahead log to its place, when it is worth it. */
  checkpoint(): void {
    if (this.#walBytes < CHECKPOINT_BYTES || this.#spoiled) return;
    this.#guard("PRAGMA wal_checkpoint(PASSIVE)");
    this.#walBytes = 0;
  }

  /** Gives space that retention freed back to the file system, a little at a time. False: nothing to do, or it cannot be done now. */
  shrink(): boolean {
    if (this.#spoiled || Number(this.pragma("freelist_count")) < SPARE_PAGES) return false;
    if (!this.#guard(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`)) return false;
    this.#walBytes += VACUUM_PAGES * 4096;
    return true;
  }

  close(): void {
    this.#db.close();
  }

  /** Pages that hold something. */
  get #used(): number {
    const [pages, free] = [this.#pages, this.#freePages].map((one) => (one.get() as unknown as [number])[0]) as [number, number];
    return pages - free;
  }

  /** How many pages may hold something after a publish. A file that is too large already is not made smaller, and must let go of what it has. */
  #limit(maxBytes: number | undefined): number {
    if (maxBytes === undefined) return Number.POSITIVE_INFINITY;
    const pageSize = Number(this.pragma("page_size"));
    const most = Math.floor(maxBytes / pageSize);
    const reserve = Math.ceil(Math.min(maxBytes * RESERVE, MOST_RESERVED_BYTES) / pageSize);
    this.#db.exec(`PRAGMA max_page_count=${Math.max(most, this.#used + reserve)}`);
    return most - reserve;
  }

  /**
   * Brings all that earlier handles wrote to its place, synced, and begins a new log. After an fsync that failed, the log may lack pages that
   * the system still shows: what is committed behind them would end with a power cut.
   */
  #settle(): void {
    const { busy } = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
    if (busy !== 0) throw new StoreError("unavailable", "another program reads the file and holds its log back", false);
  }

  /** A full disk must not stop housekeeping's caller: it is tried again, and the next publish says it. False: it was full. */
  #guard(sql: string): boolean {
    try {
      this.#db.exec(sql);
      return true;
    } catch (error) {
      if (isFull(error)) return false;
      this.#spoiled = true;
      throw error;
    }
  }
}

/** A file that was just created survives a power cut only when its directory entry does. */
export function prepareDirectory(file: string): void {
  const created = mkdirSync(dirname(file), { recursive: true });
  if (created === undefined || process.platform === "win32") return;
  for (let made = dirname(file); made.length >= created.length; made = dirname(made)) syncDirectory(dirname(made));
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
