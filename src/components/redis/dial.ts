import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { ask } from "./ask.ts";
import type { Host, RedisOptions } from "./config.ts";
import type { Command, Dial } from "./connection.ts";

const KEEPALIVE_MS = 5_000;

/** How a server is reached. `name` is what it calls our connection. */
export function dialOf(options: RedisOptions, host: Host, name: string): Dial {
  const { redisUsername, redisPassword, redisDB, failover, sentinelMasterName } = options;
  return {
    ...socketOf(options, host),
    address: failover ? `the master ${sentinelMasterName} of the Sentinels` : `${host.host}:${host.port}`,
    where: failover ? (signal) => masterOf(options, signal) : () => Promise.resolve(host),
    greeting: [
      ...signIn(redisUsername, redisPassword),
      // Not every server that speaks Redis knows it, and not every user may.
      { command: ["client", ["SETNAME", name]], must: false },
      ...(redisDB === 0 ? [] : [{ command: ["select", [String(redisDB)]] as Command, must: true }]),
    ],
  };
}

function socketOf(options: RedisOptions, host: Host): Omit<Dial, "address" | "where" | "greeting"> {
  const { enableTLS, dialTimeout, redisMinRetryInterval, redisMaxRetryInterval } = options;
  const tls = enableTLS ? tlsOf(options, host) : undefined;
  return {
    connect: (target) => socketTo(target, tls),
    connected: tls ? "secureConnect" : "connect",
    timeoutMs: dialTimeout,
    firstMs: redisMinRetryInterval,
    mostMs: redisMaxRetryInterval,
  };
}

function socketTo(host: Host, tls: ConnectionOptions | undefined): Socket {
  const target = { ...host, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS };
  // Loaded when it is needed: most run without.
  return tls
    ? process
        .getBuiltinModule("node:tls")
        .connect({ ...target, ...tls })
        .setNoDelay(true)
    : connect(target);
}

function signIn(username: string | undefined, password: string | undefined): Dial["greeting"] {
  if (!password) return [];
  return [{ command: ["auth", username ? [username, password] : [password]], must: true }];
}

/** One Sentinel after the other is asked, each over a connection of its own, until one knows the master. */
async function masterOf(options: RedisOptions, signal: AbortSignal): Promise<Host> {
  const { hosts, readTimeout, sentinelUsername, sentinelPassword, sentinelMasterName = "" } = options;
  let why = "";
  for (const host of hosts) {
    const address = `${host.host}:${host.port}`;
    const dial = {
      ...socketOf(options, host),
      address: `the Sentinel ${address}`,
      where: () => Promise.resolve(host),
      greeting: signIn(sentinelUsername, sentinelPassword),
    };
    try {
      const reply = await ask(dial, readTimeout, ["sentinel", ["get-master-addr-by-name", sentinelMasterName]], signal);
      if (reply !== null) return hostOf(reply as readonly [Buffer, Buffer]);
      why = `the Sentinel ${address} knows no master ${sentinelMasterName}`;
    } catch (error) {
      why = (error as Error).message;
    }
    if (signal.aborted) break;
  }
  throw new Error(why);
}

const hostOf = ([host, port]: readonly [Buffer, Buffer]): Host => ({ host: String(host), port: Number(port) });

function tlsOf(options: RedisOptions, host: Host): ConnectionOptions {
  // A cluster announces addresses; its certificates carry the name that was configured.
  const name = [options.hosts[0]?.host, host.host].find((candidate) => candidate !== undefined && isIP(candidate) === 0);
  return {
    ...(name ? { servername: name } : {}),
    ...(options.insecureSkipTLSVerify ? { rejectUnauthorized: false } : {}),
    ...(options.caCert ? { ca: options.caCert } : {}),
    ...(options.clientCert ? { cert: options.clientCert } : {}),
    ...(options.clientKey ? { key: options.clientKey } : {}),
  };
}
