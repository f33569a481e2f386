import { lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { type Address, formatAddress } from "./address.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EACCES: "this user may not",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOENT: "there is no such directory",
};

/** An address that cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly address: string;
  /** The system's word for it, such as EADDRINUSE. */
  readonly code: string;
  /** A short sentence without the address. */
  readonly reason: string;

  constructor(address: Address, code: string) {
    const reason = REASONS[code] ? `${REASONS[code]} (${code})` : code;
    super(`cannot listen on ${formatAddress(address)}: ${reason}`);
    this.address = formatAddress(address);
    this.code = code;
    this.reason = reason;
  }
}

/**
 * Calls `bind`, which listens on `address`; rejects with a `ListenError` when the system says no. A Unix socket that nobody serves any
 * more, left behind by a process that was killed, is removed first.
 */
export async function listening<T>(address: Address, bind: () => Promise<T>): Promise<T> {
  if ("path" in address && isSocket(address.path) && (await isAbandoned(address.path))) unlinkSync(address.path);
  try {
    return await bind();
  } catch (error) {
    const code = codeOf(error);
    throw code === undefined ? error : new ListenError(address, code);
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
  });
}

/** grpc-js has the system's word in the text alone. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return "code" in error ? String(error.code) : /\bE[A-Z]{4,}\b/.exec(error.message)?.[0];
}
