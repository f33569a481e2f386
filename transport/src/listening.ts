import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import net from "node:net";
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
 * Makes `server`, one of node:net, node:tls or node:http, listen on `address`. Resolves to where it really listens: port 0 has become a
 * number. Rejects with a `ListenError` when the system says no. A Unix socket that nobody serves any more, left behind by a process that
 * was killed, is removed first.
 */
export async function listenOn(server: net.Server, address: Address): Promise<Address> {
  if ("path" in address && isSocket(address.path) && (await isAbandoned(address.path))) unlinkSync(address.path);
  try {
    server.listen(place(address));
    await once(server, "listening");
  } catch (error) {
    const code = codeOf(error);
    throw code === undefined ? error : new ListenError(address, code);
  }
  const bound = server.address();
  return "path" in address || bound === null || typeof bound === "string" ? address : { host: address.host, port: bound.port };
}

/** Node 26 compiles an expression for IPv6 addresses when it is given a host to listen on, for eight milliseconds; with a bound socket it need not. */
function place(address: Address): net.ListenOptions | net.BoundSocket {
  const { BoundSocket } = net as { BoundSocket?: typeof net.BoundSocket };
  if ("path" in address) return { path: address.path };
  return BoundSocket && net.isIPv4(address.host) ? new BoundSocket({ host: address.host, port: address.port }) : { ...address };
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
