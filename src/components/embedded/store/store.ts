import { type Failure, isFull, StoreError, sqliteCode, toFailure } from "../errors.ts";
import { unpack } from "../packing.ts";
import type { Call, CallResult, LendFrame, PublishFrame, Reply, Request, SettlementFrame, StoreSettings } from "../protocol.ts";
import { Ballast } from "./ballast.ts";
import { answer, deleteGroup } from "./calls.ts";
import { Catalog } from "./catalog.ts";
import { Database, prepareDirectory } from "./database.ts";
import type { Extent, Group } from "./group.ts";
import { lend } from "./lend.ts";
import { FileLock } from "./lock.ts";
import type { Topic } from "./log.ts";
import type { Reader } from "./reader.ts";
import { sweep } from "./retention.ts";

/** Acknowledgements reach the disk within two of these; what is younger may be repeated after a crash. */
const TICK_MS = 50;
const SWEEP_MS = 10_000;
const REOPEN_MS = 1_000;
/** Most delayed messages that one cycle makes ordinary ones. */
const PROMOTE = 256;
/** Calls whose answer says that everything before them stands on disk. */
const SETTLED = new Set<Call["kind"]>(["flush", "unsubscribe", "close"]);

/** The store behind the worker's door: one request is one cycle, with at most one commit for all that came. */
export class Store {
  readonly #settings: StoreSettings;
  #lock: FileLock | undefined;
  #open: { readonly db: Database; readonly catalog: Catalog; readonly ballast: Ballast } | undefined;
  #broken: Failure | undefined;
  readonly #readers = new Map<number, Reader>();
  #ended: number[] = [];
  #reopenAt = 0;
  #tickAt = 0;
  #sweepAt = 0;
  #closed = false;

  constructor(settings: StoreSettings) {
    this.#settings = settings;
  }

  handle(request: Request): Reply {
    if (!this.#open && !this.#closed && request.elapsed >= this.#reopenAt) this.#tryToOpen(request);
    if (!this.#open) return this.#refuse(request);
    const broken = { ...this.#reply(), published: undefined } as Reply;
    try {
      return this.#cycle(request);
    } catch (error) {
      const failure = this.#break(error, request.elapsed);
      return { ...broken, ...this.#refuse(request, failure) };
    }
  }

  /** What can wait until the reply is on its way. */
  rest(): void {
    try {
      this.#open?.db.checkpoint();
    } catch (error) {
      this.#break(error, 0);
    }
  }

  #tryToOpen({ now, elapsed }: Request): void {
    const { file, maxBytes } = this.#settings;
    let db: Database | undefined;
    try {
      prepareDirectory(file);
      this.#lock ??= new FileLock(file, now);
      db = new Database(file, maxBytes);
      const catalog = new Catalog();
      catalog.load(db, now, elapsed);
      const ballast = new Ballast(file);
      ballast.take();
      this.#open = { db, catalog, ballast };
      this.#broken = undefined;
      this.#sweepAt = elapsed;
    } catch (error) {
      db?.close();
      this.#broken = toFailure(error, file);
      this.#reopenAt = elapsed + REOPEN_MS;
    }
  }

  /** After an I/O error the handle is given up, and with it all that memory knew: the disk alone is right now. */
  #break(error: unknown, elapsed: number): Failure {
    const failure = toFailure(error, this.#settings.file, this.#open?.db.unsure ? "unknown" : "rejected");
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
    const { db, catalog } = this.#opened();
    for (const { reader, messages, bytes } of request.windows) this.#readers.get(reader)?.window(messages, bytes);
    for (const frame of request.settlements) this.#settle(frame, now, elapsed);
    const published = this.#store(request);
    const ground = { file: this.#settings.file, db, catalog, readers: this.#readers, ended: this.#ended, now };
    const results = request.calls.map((call): CallResult => {
      try {
        return { value: answer(call, ground) };
      } catch (error) {
        if (db.spoiled || !(error instanceof StoreError || sqliteCode(error) !== undefined)) throw error;
        return { failure: toFailure(error, this.#settings.file) };
      }
    });
    const more = this.#sweep(request) || this.#lendAll(now, elapsed);
    const lent = [...this.#readers.values()].map((reader) => reader.takeFrame()).filter((frame): frame is LendFrame => frame !== undefined);
    const wakeIn = more ? 0 : this.#wakeIn(now, elapsed);
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
    const { now, elapsed, publish } = request;
    const { db, ballast } = this.#opened();
    const extent = this.#extent(request);
    const due = (db.log.nextDue() ?? Number.POSITIVE_INFINITY) <= now;
    if (!publish && extent === undefined && !due) return undefined;
    if (extent !== undefined && extent !== "front") this.#tickAt = elapsed + TICK_MS;
    try {
      return this.#write(publish, extent ?? "front", now, true);
    } catch (error) {
      if (db.spoiled || sqliteCode(error) === undefined) throw error;
      const failure = toFailure(error, this.#settings.file);
      this.#resync();
      if (isFull(error)) ballast.give();
      try {
        this.#write(undefined, extent ?? "front", now, false);
      } catch (again) {
        // Still full: what is settled stays in memory and is written when there is room.
        if (db.spoiled || !isFull(again)) throw again;
        this.#resync();
      }
      return publish && failure;
    }
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
    const appended = new Map<Topic, { last: number; bytes: number; count: number }>();
    const note = (topic: Topic, pos: number, bytes: number) => {
      const sum = appended.get(topic) ?? { last: 0, bytes: 0, count: 0 };
      appended.set(topic, { last: Math.max(sum.last, pos), bytes: sum.bytes + bytes, count: sum.count + 1 });
    };
    const moved = publish ? this.#takeMoved(publish) : [];
    const bytes = publish?.data.reduce((sum, { byteLength }) => sum + byteLength, 0) ?? 0;
    let positions: number[];
    try {
      positions = db.transaction(() => {
        const given = publish ? this.#append(publish, now, note) : [];
        for (const [n, topicId, expires, size] of promote ? db.log.due(now, PROMOTE) : []) {
          const topic = catalog.topicById(topicId);
          if (expires !== null && expires <= now) db.log.dropDelayed(n);
          else note(topic, db.log.promote(n, now), size);
        }
        for (const [topic, sum] of appended) db.log.addBytes(topic, sum.bytes);
        for (const group of catalog.allGroups()) if (group.dirty || group.urgent) group.persist(db.rows, extent);
        return given;
      }, bytes);
    } catch (error) {
      for (const { group, pos, size, failures, reader } of moved) group.unack(pos, size, failures, reader);
      throw error;
    }
    for (const [topic, { last, bytes: size, count }] of appended) {
      topic.last = Math.max(topic.last, last);
      topic.bytes += size;
      for (const group of catalog.groups(topic)) if (group.unread !== undefined) group.unread += count;
    }
    return positions;
  }

  /** Acknowledges the messages that others replace: in the same commit, or, if that fails, not at all. */
  #takeMoved({ moves }: PublishFrame) {
    const moved: { group: Group; pos: number; size: number; failures: number; reader: Reader }[] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const reader = this.#readers.get(moves[at + 1] as number);
      const pos = moves[at + 2] as number;
      const entry = reader?.group.lentEntry(pos, reader);
      if (!reader || !entry) continue;
      moved.push({ group: reader.group, pos, size: entry.size, failures: entry.failures, reader });
      reader.group.ack(pos, reader);
    }
    return moved;
  }

  #append(frame: PublishFrame, now: number, note: (topic: Topic, pos: number, bytes: number) => void): number[] {
    const { db, catalog } = this.#opened();
    const data = unpack(frame.sizes, frame.data);
    return data.map((bytes, index) => {
      const topic = catalog.topic(frame.topics[frame.topic[index] as number] as string) as Topic;
      const expires = frame.expires[index] ?? null;
      const due = frame.notBefore[index] ?? null;
      const key = frame.keys[index] ?? null;
      const attributes = frame.attributes[index] ?? null;
      if (due !== null && due > now) {
        db.log.delay(topic, due, expires, key, attributes, bytes);
        return 0;
      }
      const pos = db.log.append(topic, now, expires, key, attributes, bytes);
      note(topic, pos, bytes.byteLength + (attributes?.length ?? 0));
      return pos;
    });
  }

  #resync(): void {
    const { db, catalog } = this.#opened();
    for (const group of catalog.allGroups()) group.resync(db.rows);
  }

  /** Deletes what is no longer needed, a little a cycle. True: there is more. */
  #sweep({ now, elapsed }: Request): boolean {
    if (elapsed < this.#sweepAt) return false;
    const { db, catalog, ballast } = this.#opened();
    const ground = { file: this.#settings.file, db, catalog, readers: this.#readers, ended: this.#ended, now };
    let more = false;
    try {
      for (const group of [...catalog.allGroups()]) {
        const idle = group.readers.length === 0 && group.expiresAfterMs !== null && group.idleSince !== null;
        if (idle && now - (group.idleSince ?? now) >= (group.expiresAfterMs ?? 0)) deleteGroup(group, ground);
      }
      for (const topic of catalog.topics()) {
        const swept = db.transaction(() => sweep(topic, catalog, db, this.#settings, now));
        topic.bytes -= swept.freed;
        more ||= swept.more;
      }
      more = db.shrink() || more;
      if (!more) ballast.take();
    } catch (error) {
      if (db.spoiled || !isFull(error)) throw error;
    }
    if (!more) this.#sweepAt = elapsed + SWEEP_MS;
    return more;
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
    if (due !== undefined) at = Math.min(at, elapsed + due - now);
    return Math.max(0, Math.min(at, this.#sweepAt) - elapsed);
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
