import type { ErrorCode } from "../../errors/code.ts";
import { type Outcome, PubSubError } from "../../pubsub/error.ts";

/** An error on its way between the threads: a clone of an `Error` would lose its fields. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: Outcome;
  readonly permanent: boolean;
}

/** Thrown in the worker where the message already says all; becomes a `Failure`. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly failure: Failure;

  constructor(code: ErrorCode, message: string, permanent = true) {
    super(message);
    this.failure = { code, message, outcome: "rejected", permanent };
  }
}

export const toError = (failure: Failure): PubSubError =>
  new PubSubError(failure.code, failure.message, { outcome: failure.outcome, permanent: failure.permanent });

/** Primary result codes of SQLite, as far as they decide something. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** The primary code of an error that SQLite raised, undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** What is stored leaves no room for what must always have some. Means the same as SQLite's own. */
export class FullError extends Error {
  override readonly name = "FullError";
  readonly errcode = FULL;
}

const NO_ROOM = new Set(["ENOSPC", "EDQUOT"]);
/** The disk, or a quota on it, has no room: SQLite says so, or the file system. */
export const isFull = (error: unknown): boolean =>
  sqliteCode(error) === FULL || (error instanceof Error && "code" in error && NO_ROOM.has(String(error.code)));
export const isBusy = (error: unknown): boolean => sqliteCode(error) === BUSY;

/** What to do about errors of the disk. SQLite says it in few words. */
const REMEDY = {
  full: "make room on its disk, or raise `maxBytes` where that is set",
  unwritable:
    "see that the file, its directory and their disk can be written (the system's log may say more); it is opened again by itself",
} as const;

/** The disk has only the room left that acknowledgements and retention need. */
export const nearlyFull = (file: string): Failure => ({
  code: "resource_exhausted",
  message: `${file}: the disk is full but for what acknowledging needs: ${REMEDY.full}`,
  outcome: "rejected",
  permanent: false,
});

/**
 * What an error of the worker means to the caller. An error that neither SQLite, the file system nor we raised on purpose is a fault of the
 * program: it is thrown on, ends the worker, and every call under way fails.
 */
export function toFailure(error: unknown, file: string, outcome: Outcome = "rejected"): Failure {
  if (error instanceof StoreError) return error.failure;
  const code = sqliteCode(error);
  if (code === undefined && !isFileSystemError(error)) throw error;
  const text = `${file}: ${(error as Error).message}`;
  if (isFull(error)) return { code: "resource_exhausted", message: `${text}: ${REMEDY.full}`, outcome: "rejected", permanent: false };
  switch (code) {
    case CORRUPT:
    case NOTADB:
      return { code: "failed_precondition", message: text, outcome: "rejected", permanent: true };
    case BUSY:
      return { code: "unavailable", message: text, outcome: "rejected", permanent: false };
    case READONLY:
    case CANTOPEN:
      return { code: "unavailable", message: `${text}: ${REMEDY.unwritable}`, outcome: "rejected", permanent: false };
    case IOERR:
    case undefined:
      return { code: "unavailable", message: `${text}: ${REMEDY.unwritable}`, outcome, permanent: false };
    default:
      throw error;
  }
}

const isFileSystemError = (error: unknown): boolean => error instanceof Error && "syscall" in error;
