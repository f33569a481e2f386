import { isIP } from "node:net";
import type { RedisOptions as AllOptions } from "ioredis";
import type { Host, RedisOptions } from "./config.ts";

/** The library's own type of this one key does not fit its constructor. */
export type ClientOptions = Omit<AllOptions, "replyMapping">;

/**
 * The client library's settings. It must neither queue nor resend: an operation either goes out on a live connection or fails at once
 * (D9), and what is tried again is decided elsewhere. It does reconnect, for ever.
 */
export function dialOptions(options: RedisOptions, host: Host, name: string): ClientOptions {
  const { redisMinRetryInterval: first, redisMaxRetryInterval: most } = options;
  return {
    ...(options.failover ? masterBySentinel(options) : { host: host.host, port: host.port }),
    ...(options.redisUsername ? { username: options.redisUsername } : {}),
    ...(options.redisPassword ? { password: options.redisPassword } : {}),
    ...(options.enableTLS ? { tls: tls(options, host) } : {}),
    db: options.redisDB,
    connectionName: name,
    disableClientInfo: true,
    protocol: 2,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: options.dialTimeout,
    socketTimeout: options.readTimeout,
    disconnectTimeout: 100,
    keepAlive: 5_000,
    retryStrategy: (attempt) => Math.min(most, first * 2 ** Math.min(attempt - 1, 30)),
  };
}

function masterBySentinel(options: RedisOptions): ClientOptions {
  const { redisMinRetryInterval: first, redisMaxRetryInterval: most } = options;
  return {
    sentinels: options.hosts.map(({ host, port }) => ({ host, port })),
    name: options.sentinelMasterName ?? "",
    role: "master",
    ...(options.sentinelUsername ? { sentinelUsername: options.sentinelUsername } : {}),
    ...(options.sentinelPassword ? { sentinelPassword: options.sentinelPassword } : {}),
    ...(options.enableTLS ? { enableTLSForSentinelMode: true, sentinelTLS: tls(options, options.hosts[0]) } : {}),
    sentinelCommandTimeout: options.readTimeout,
    sentinelRetryStrategy: (attempt) => Math.min(most, first * 2 ** Math.min(attempt - 1, 30)),
  };
}

function tls(options: RedisOptions, host: Host | undefined): NonNullable<ClientOptions["tls"]> {
  // A cluster announces addresses; its certificates carry the name that was configured.
  const name = [options.hosts[0]?.host, host?.host].find((candidate) => candidate !== undefined && isIP(candidate) === 0);
  return {
    ...(name ? { servername: name } : {}),
    ...(options.insecureSkipTLSVerify ? { rejectUnauthorized: false } : {}),
    ...(options.caCert ? { ca: options.caCert } : {}),
    ...(options.clientCert ? { cert: options.clientCert } : {}),
    ...(options.clientKey ? { key: options.clientKey } : {}),
  };
}
