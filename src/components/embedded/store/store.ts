import { type Failure, isFull, nearlyFull, StoreError, sqliteCode, toFailure } from "../errors.ts";
import type { Call, CallResult, LendFrame, PublishFrame, Reply, Request, SettlementFrame, StoreSettings } from "../protocol.ts";
import { Append } from "./append.ts";
import { Ballast } from "./ballast.ts";
import { answer } from "./calls.ts";
import { Catalog } from "./catalog.ts";
import { Database, prepareDirectory } from "./database.ts";
import { lend } from "./lend.ts";
import { FileLock } from "./lock.ts";
import { putBack, takeMoved } from "./moves.ts";
import { persistEach } from "./persist-each.ts";
import type { Extent } from "./progress.ts";
import type { Reader } from "./reader.ts";
import { Sweeping } from "./sweeping.ts";

/** Acknowledgements reach the disk within two of these; what is younger may be repeated after a crash. */
const TICK_MS = 50;
const REOPEN_MS = 1_000;
/** After a write that found the disk full, what is due waits so long: trying at once would turn in circles. */
const FULL_MS = 250;
/** Calls whose answer says that everything before them stands on disk. */
const SETTLED = new Set<Call["kind"]>(["flush", "unsubscribe", "close"]);

type OpenDatabase = (file: string, maxBytes: number | undefined) => Database;

/** The store behind the worker's door: one request is one cycle, with at most one commit for all that came. */
export class Store {
  readonly #settings: StoreSettings;
  readonly #openDatabase: OpenDatabase;
  #lock: FileLock | undefined;
  #open: { readonly db: Database; readonly catalog: Catalog; readonly ballast: Ballast } | undefined;
  #broken: Failure | undefined;
  readonly #readers = new Map<number, Reader>();
  readonly #sweeping = new Sweeping();
  #ended: number[] = [];
  /** The time of the last request. */
  #elapsed = 0;
  #reopenAt = 0;
  #tickAt = 0;
  #fullUntil = 0;
  /** Why what was settled could not be written in this cycle. */
  #unwritten: Failure | undefined;
  /** The cycle under way has committed: an error after that does not tell what became of what was asked. */
  #committed = false;
  #closed = false;

  constructor(settings: StoreSettings, openDatabase: OpenDatabase = (file, maxBytes) => new Database(file, maxBytes)) {
    this.#settings = settings;
    this.#openDatabase = openDatabase;
  }

  handle(request: Request): Reply {
    this.#elapsed = request.elapsed;
    if (!this.#open && !this.#closed && request.elapsed >= this.#reopenAt) this.#tryToOpen(request);
    if (!this.#open) return this.#refuse(request);
    this.#committed = false;
    this.#unwritten = undefined;
    try {
      return this.#cycle(request);
    } catch (error) {
      return this.#refuse(request, this.#break(error, request.elapsed));
    }
  }

  /** What can wait until the reply is on its way. */
  rest(): void {
    try {
      this.#open?.db.checkpoint();
    } catch (error) {
      this.#break(error, this.#elapsed);
    }
  }

  #tryToOpen({ now, elapsed }: Request): void {
    const { file, maxBytes } = this.#settings;
    let db: Database | undefined;
    try {
      prepareDirectory(file);
      this.#lock ??= new FileLock(file, now);
      db = this.#openDatabase(file, maxBytes);
      const catalog = new Catalog();
      catalog.load(db, now, elapsed);
      const ballast = new Ballast(file);
      ballast.take();
      this.#open = { db, catalog, ballast };
      this.#broken = undefined;
      this.#sweeping.dueAt = elapsed;
    } catch (error) {
      db?.close();
      if (isFull(error)) new Ballast(file).give();
      this.#broken = toFailure(error, file);
      this.#reopenAt = elapsed + REOPEN_MS;
    }
  }

  /** After an I/O error the handle is given up, and with it all that memory knew: the disk alone is right now. */
  #break(error: unknown, elapsed: number): Failure {
    const unsure = this.#committed || this.#open?.db.unsure;
    const failure = toFailure(error, this.#settings.file, unsure ? "unknown" : "rejected");
    this.#open?.db.close();
    this.#open = undefined;
    this.#ended.push(...this.#readers.keys());
    this.#readers.clear();
    this.#broken = failure;
    this.#reopenAt = elapsed + REOPEN_MS;
    return failure;
  }

  #refuse(request: Request, failure: Failure = this.#broken ?? CLOSED): Reply {
    const closing = request.calls.some(({ kind }) => kind === "close");
    if (closing) this.#close();
    const results = request.calls.map(
      ({ kind }): CallResult => (kind === "close" || kind === "unsubscribe" ? { value: undefined } : { failure }),
    );
    const wakeIn = this.#readers.size > 0 ? REOPEN_MS : undefined;
    return { ...this.#reply(), published: request.publish && failure, results, broken: failure, wakeIn };
  }

  #reply(): Reply {
    const ended = this.#ended;
    this.#ended = [];
    return { published: undefined, lent: [], results: [], ended, broken: undefined, wakeIn: undefined };
  }

  #cycle(request: Request): Reply {
    const { now, elapsed } = request;
    const { db, catalog, ballast } = this.#opened();
    for (const { reader: id, messages, bytes } of request.windows) {
      const reader = this.#readers.get(id);
      // Its group was deleted before it was known over there.
      if (!reader) this.#ended.push(id);
      else reader.window(messages, bytes);
    }
    for (const frame of request.settlements) this.#settle(frame, now, elapsed);
    const published = this.#store(request);
    const ground = { file: this.#settings.file, db, catalog, readers: this.#readers, ended: this.#ended, now, elapsed };
    const results = request.calls.map((call): CallResult => {
      try {
        const value = answer(call, ground);
        return this.#unwritten && SETTLED.has(call.kind) ? { failure: this.#unwritten } : { value };
      } catch (error) {
        if (db.spoiled || !(error instanceof StoreError || sqliteCode(error) !== undefined)) throw error;
        return { failure: toFailure(error, this.#settings.file) };
      }
    });
    const toDelete = this.#sweeping.step(ground, this.#settings, ballast);
    const toLend = this.#lendAll(now, elapsed);
    const lent = [...this.#readers.values()].map((reader) => reader.takeFrame()).filter((frame): frame is LendFrame => frame !== undefined);
    const wakeIn = toDelete || toLend ? 0 : this.#wakeIn(now, elapsed);
    if (request.calls.some(({ kind }) => kind === "close")) this.#close();
    return { ...this.#reply(), published, lent, results, wakeIn };
  }

  #opened() {
    if (!this.#open) throw new StoreError("unavailable", "the store is closed");
    return this.#open;
  }

  #settle({ reader: id, acks, releases, retries, keeps }: SettlementFrame, now: number, elapsed: number): void {
    const reader = this.#readers.get(id);
    if (!reader) return;
    const { group } = reader;
    for (let at = 0; at < keeps.length; at += 2) group.keep(keeps[at] as number, reader, keeps[at + 1] as number);
    for (const pos of acks) group.ack(pos, reader);
    for (const pos of releases) group.release(pos, reader);
    for (let at = 0; at < retries.length; at += 3) {
      const delay = retries[at + 1] as number;
      group.retry(retries[at] as number, reader, delay, retries[at + 2] as number, now, elapsed);
    }
  }

  /** The cycle's commit, if there is anything to write. A full disk refuses the publishes and lets the rest be written. */
  #store(request: Request): Reply["published"] {
    const { now, elapsed } = request;
    const { file } = this.#settings;
    const { db, catalog, ballast } = this.#opened();
    const extent = this.#extent(request);
    const isDue = (db.log.nextDue() ?? Number.POSITIVE_INFINITY) <= now && elapsed >= this.#fullUntil;
    const short = (request.publish !== undefined || isDue) && ballast.short;
    if (short) this.#isFull(elapsed);
    const refusal = request.publish && short ? nearlyFull(file) : undefined;
    const publish = short ? undefined : request.publish;
    const due = isDue && !short;
    if (!publish && extent === undefined && !due) return refusal;
    if (extent !== undefined && extent !== "front") this.#tickAt = elapsed + TICK_MS;
    try {
      const positions = this.#write(publish, extent ?? "front", now, due);
      return refusal ?? positions;
    } catch (error) {
      if (db.spoiled || sqliteCode(error) === undefined) throw error;
      const failure = toFailure(error, file);
      this.#resync();
      this.#fullUntil = elapsed + FULL_MS;
      if (isFull(error)) ballast.give();
      if (isFull(error)) this.#isFull(elapsed);
      try {
        this.#write(undefined, extent ?? "front", now, false);
      } catch (again) {
        // Still full: what is settled stays in memory and is written when there is room.
        if (db.spoiled || !isFull(again)) throw again;
        this.#unwritten = failure;
        this.#resync();
        this.#committed = persistEach(db, catalog, extent ?? "front");
      }
      return refusal ?? (publish && failure);
    }
  }

  /** What all groups are done with goes now, and publishes are refused meanwhile. */
  #isFull(elapsed: number): void {
    this.#fullUntil = elapsed + FULL_MS;
    this.#sweeping.press(elapsed);
  }

  /** How much progress must be written now. undefined: none. */
  #extent({ elapsed, calls }: Request): Extent | undefined {
    if (calls.some(({ kind }) => SETTLED.has(kind))) return "all";
    let extent: Extent | undefined;
    for (const group of this.#opened().catalog.allGroups()) {
      if (group.dirty && elapsed >= this.#tickAt) return "tick";
      if (group.urgent) extent = "front";
    }
    return extent;
  }

  #write(publish: PublishFrame | undefined, extent: Extent, now: number, promote: boolean): number[] {
    const { db, catalog } = this.#opened();
    if (publish) catalog.ensureTopics(publish.topics, db);
    const append = new Append(db, catalog, now);
    const refused = new Set<number>();
    const moved = publish ? takeMoved(publish, this.#readers, refused) : [];
    const whole = new Set(moved.map(({ group }) => group));
    const bytes = publish?.data.reduce((sum, { byteLength }) => sum + byteLength, 0) ?? 0;
    let positions: number[];
    try {
      positions = db.transaction(() => {
        const given = publish ? append.publish(publish, refused) : [];
        if (promote) append.promote();
        append.write();
        if (publish) db.leaveRoom();
        for (const group of catalog.allGroups()) {
          if (group.dirty || group.urgent) group.persist(db.rows, whole.has(group) ? "all" : extent);
        }
        return given;
      }, bytes);
    } catch (error) {
      putBack(moved);
      throw error;
    }
    this.#committed = true;
    append.apply();
    return positions;
  }

  #resync(): void {
    const { db, catalog } = this.#opened();
    for (const group of catalog.allGroups()) group.resync(db.rows);
  }

  #lendAll(now: number, elapsed: number): boolean {
    const { db, catalog } = this.#opened();
    let more = false;
    for (const group of catalog.allGroups()) {
      if (group.readers.length > 0 && lend(group, db.log, now, elapsed)) more = true;
    }
    return more;
  }

  #wakeIn(now: number, elapsed: number): number | undefined {
    const { db, catalog } = this.#opened();
    let at = Number.POSITIVE_INFINITY;
    for (const group of catalog.allGroups()) {
      if (group.dirty) at = Math.min(at, this.#tickAt);
      if (group.nextDue !== undefined && group.readers.length > 0) at = Math.min(at, group.nextDue);
    }
    const due = db.log.nextDue();
    if (due !== undefined) at = Math.min(at, Math.max(elapsed + due - now, this.#fullUntil));
    return Math.max(0, Math.min(at, this.#sweeping.dueAt) - elapsed);
  }

  #close(): void {
    this.#closed = true;
    this.#open?.db.close();
    this.#open = undefined;
    this.#readers.clear();
    this.#lock?.release();
    this.#lock = undefined;
  }
}

const CLOSED: Failure = { code: "unavailable", message: "the component is closed", outcome: "rejected", permanent: true };
