import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { isBusy, StoreError } from "../errors.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * One process owns the file. What says so is a lock that the operating system frees when the process ends, in whatever way: SQLite's
 * exclusive lock on a file of its own, kept for as long as the store is open. (Nobody may open that file by other means: closing it
 * would drop the lock.) Who has it is written beside it, for people to read.
 */
export class FileLock {
  readonly #lock: DatabaseSync;
  readonly #ownerFile: string;

  constructor(file: string, now: number) {
    this.#ownerFile = `${file}.owner`;
    this.#lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
    try {
      this.#lock.exec("BEGIN EXCLUSIVE");
      // Where nothing can be written, SQLite says nothing and the lock is none: this fails there.
      this.#tell(now);
    } catch (error) {
      this.#lock.close();
      throw isBusy(error) ? new StoreError("failed_precondition", heldBy(file, readOwner(this.#ownerFile))) : error;
    }
  }

  release(): void {
    rmSync(this.#ownerFile, { force: true });
    this.#lock.close();
  }

  #tell(now: number): void {
    const owner: Owner = { pid: process.pid, host: hostname(), since: new Date(now).toISOString() };
    writeFileSync(`${this.#ownerFile}.new`, JSON.stringify(owner));
    renameSync(`${this.#ownerFile}.new`, this.#ownerFile);
  }
}

/** undefined: the holder has not written it yet. */
function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function heldBy(file: string, owner: Owner | undefined): string {
  const who = owner ? `process ${owner.pid} on ${owner.host}, since ${owner.since}` : "another process";
  return `${file} is in use by ${who}: stop it, or name another file`;
}
