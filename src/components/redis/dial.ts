import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../pubsub/clock.ts";
import type { Host, RedisOptions } from "./config.ts";
import type { Command, Dial, Reply } from "./connection.ts";
import { Search } from "./search.ts";
import { Sentinels } from "./sentinels.ts";

const KEEPALIVE_MS = 5_000;

/** How servers are reached. */
export class Dials {
  readonly #options: RedisOptions;
  readonly #clock: Clock;
  readonly #sentinels: Sentinels | undefined;

  constructor(options: RedisOptions, clock: Clock) {
    const { failover, hosts, sentinelMasterName = "", readTimeout } = options;
    this.#options = options;
    this.#clock = clock;
    if (failover) this.#sentinels = new Sentinels(hosts, sentinelMasterName, (host) => sentinelDial(options, host, clock), readTimeout);
  }

  /** `name`: what the server calls our connection. With Sentinels it is the master, wherever that is. */
  to(host: Host, name: string): Dial {
    const { redisUsername, redisPassword, redisDB, sentinelMasterName } = this.#options;
    const search = this.#sentinels && new Search(this.#sentinels);
    return {
      // Sentinels have names of their own: none of them is the master's.
      ...socketOf(this.#options, search ? undefined : this.#options.hosts[0]),
      clock: this.#clock,
      address: search ? `the master ${sentinelMasterName} of the Sentinels` : `${host.host}:${host.port}`,
      where: search ? (signal) => search.master(signal) : () => Promise.resolve(host),
      greeting: [
        ...signIn(redisUsername, redisPassword),
        // Not every server that speaks Redis knows it, and not every user may.
        { command: ["client", ["SETNAME", name]], must: false },
        ...(redisDB === 0 ? [] : [{ command: ["select", [String(redisDB)]] as Command, must: true }]),
        ...(search ? [{ command: ["role", []] as Command, must: false, wrong: (role: Reply) => notMaster(role, search) }] : []),
      ],
    };
  }
}

/** A Sentinel may not know yet that a master is none any more. */
function notMaster(role: Reply, search: Search): string | undefined {
  const [word] = role as readonly Reply[];
  if (String(word) !== "master") return `expected a master, found a ${word}`;
  search.right();
  return undefined;
}

function sentinelDial(options: RedisOptions, host: Host, clock: Clock): Dial {
  return {
    ...socketOf(options, options.hosts[0]),
    clock,
    address: `the Sentinel ${host.host}:${host.port}`,
    where: () => Promise.resolve(host),
    greeting: signIn(options.sentinelUsername, options.sentinelPassword),
  };
}

/** `alias`: its name is what a certificate must carry where a server is known by an address. */
function socketOf(options: RedisOptions, alias: Host | undefined): Omit<Dial, "clock" | "address" | "where" | "greeting"> {
  const { enableTLS, dialTimeout, redisMinRetryInterval, redisMaxRetryInterval } = options;
  return {
    connect: (target) => socketTo(target, enableTLS ? tlsOf(options, target, alias) : undefined),
    connected: enableTLS ? "secureConnect" : "connect",
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
        .setKeepAlive(true, KEEPALIVE_MS)
    : connect(target);
}

function signIn(username = "", password = ""): Dial["greeting"] {
  if (username === "" && password === "") return [];
  return [{ command: ["auth", username === "" ? [password] : [username, password]], must: true }];
}

function tlsOf(options: RedisOptions, target: Host, alias: Host | undefined): ConnectionOptions {
  // Clusters and Sentinels announce addresses; their certificates carry the name that was configured. Without any name it is the address.
  const name = [target.host, alias?.host].find((candidate) => candidate !== undefined && isIP(candidate) === 0);
  return {
    ...(name ? { servername: name } : {}),
    ...(options.insecureSkipTLSVerify ? { rejectUnauthorized: false } : {}),
    ...(options.caCert ? { ca: options.caCert } : {}),
    ...(options.clientCert ? { cert: options.clientCert } : {}),
    ...(options.clientKey ? { key: options.clientKey } : {}),
  };
}
