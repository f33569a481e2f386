import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { isFull } from "../errors.ts";

const SIZE = 8 * 2 ** 20;
/** A disk with less than this free gets no ballast: it would itself make the disk full. */
const ROOM = 4 * SIZE;
/** What is left of a disk without it, when publishing has to end: what it gave, and what the write had for which the disk was full. */
const RESERVE = 2 * SIZE;

/**
 * Space kept for the day the disk is full: given up then, so that acknowledgements and retention, which make room again, can still be written.
 */
export class Ballast {
  readonly #file: string;
  #present: boolean;

  constructor(file: string) {
    this.#file = `${file}.ballast`;
    this.#present = statSync(this.#file, { throwIfNoEntry: false })?.size === SIZE;
  }

  /** Takes it (again), if it is missing and there is room. */
  take(): void {
    if (this.#present || freeBytes(this.#file) < ROOM) return;
    const partial = `${this.#file}.new`;
    if (!fill(partial)) return;
    renameSync(partial, this.#file);
    this.#present = true;
  }

  /** It was given, or there was never room for it, and what is left is little: no longer for publishes. Nothing at all may be a file system that does not say. */
  get short(): boolean {
    if (this.#present) return false;
    const free = freeBytes(this.#file);
    return free > 0 && free < RESERVE;
  }

  /** False: there was none left to give, or it is not the disk that is full. */
  give(): boolean {
    if (!this.#present || freeBytes(this.#file) >= ROOM) return false;
    rmSync(this.#file, { force: true });
    this.#present = false;
    return true;
  }
}

/** False: a quota left no room for it. */
function fill(file: string): boolean {
  const handle = openSync(file, "w");
  try {
    if (writeSync(handle, new Uint8Array(SIZE)) === SIZE) {
      fsyncSync(handle);
      return true;
    }
  } catch (error) {
    if (!isFull(error)) throw error;
  } finally {
    closeSync(handle);
  }
  rmSync(file);
  return false;
}

/** What a process without special rights can still write to the file system of `file`. */
export function freeBytes(file: string): number {
  const { bavail, bsize } = statfsSync(dirname(file));
  return bavail * bsize;
}
