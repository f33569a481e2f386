import { z } from "zod";
import { count, duration, flag, ignored, oneOf, orDefault, text } from "../../pubsub/options.ts";

const pool = () => ignored("there is no pool; each server has three connections");
const unsupported = (what: string) =>
  orDefault(flag(), false)
    .refine((on) => !on, { error: `${what} is not supported: use redisUsername and redisPassword` })
    .describe(`Must be false: ${what} is not supported.`);

/** A link that is dead must be noticed at some time, whatever is asked for. */
const LONGEST_SILENCE_MS = 60_000;

/** As Dapr takes it: -1 is none there. */
const durationOrNone = () =>
  z.union([z.literal([-1, "-1"]).transform(() => -1), duration()], { error: "expected a duration such as 250ms, 15s or 1h30m, or -1" });

/** The keys of `metadata`: Layotto's and Dapr's with their defaults, then our own. */
export const redisOptions = z
  .strictObject({
    redisHost: text().describe("`host:port`. A comma list of nodes with redisType cluster, of Sentinels with failover."),
    redisPort: orDefault(count(1, 65_535), 6379).describe("Port of hosts that are written without one. Default 6379."),
    redisUsername: text().optional().describe("User of the access control list."),
    redisPassword: text().optional().describe("Password of the user, or of the default user."),
    sentinelUsername: text().optional().describe("User at the Sentinels."),
    sentinelPassword: text().optional().describe("Password at the Sentinels."),
    redisType: orDefault(oneOf(["node", "cluster"]), "node").describe("`node` (default) or `cluster`. Without effect with failover."),
    redisDB: orDefault(count(0), 0).describe("Database number, 0 by default. Without effect with a cluster, which has only 0."),
    failover: orDefault(flag(), false).describe("redisHost names Sentinels, which are asked for the master. Default false."),
    sentinelMasterName: text().optional().describe("The master's name at the Sentinels. Needed with failover."),
    enableTLS: orDefault(flag(), false).describe("Connect by TLS. Default false."),
    insecureSkipTLSVerify: orDefault(flag(), false).describe("Accept any server certificate. Default false."),
    caCert: text().optional().describe("PEM text of the authority that signed the server's certificate. Default: the system's."),
    clientCert: text().optional().describe("PEM text of our own certificate."),
    clientKey: text().optional().describe("PEM text of our own key."),
    redeliverInterval: orDefault(duration(), 1_000).describe(
      "How often we look for messages that others gave back or left behind. Default 1s (Layotto: 15s); 0 means the default.",
    ),
    processingTimeout: orDefault(duration(), 60_000).describe(
      "How long another program's consumer (Go Layotto, Dapr) may hold a message before it is taken over. Default 60s; 0 means the default.",
    ),
    queueDepth: orDefault(count(1, 10_000), 100).describe("Most messages of one read. Default 100."),
    concurrency: orDefault(count(), 0).describe(
      "Most messages with the app at once, of each subscription that does not say it. Default 0: delivery.maxInFlight decides.",
    ),
    dialTimeout: orDefault(duration(), 5_000).describe("Longest wait for a connection. Default 5s; 0 means the default."),
    readTimeout: orDefault(durationOrNone(), 3_000).describe(
      "Longest silence of a server that owes a reply; then the connection is made anew. Default 3s; 0 means the default, -1 (Dapr: no limit) 1m.",
    ),
    redisMinRetryInterval: orDefault(durationOrNone(), 8).describe(
      "First wait before connecting again. Default 8ms; 0 means the default, and so does -1 (Dapr: no wait).",
    ),
    redisMaxRetryInterval: orDefault(durationOrNone(), 512).describe(
      "Longest wait before connecting again. Default 512ms; 0 means the default, and so does -1 (Dapr: no wait).",
    ),

    writeTimeout: ignored("readTimeout notices a server that takes no bytes"),
    redisMaxRetries: ignored("the engine decides what is tried again"),
    poolSize: pool(),
    poolTimeout: pool(),
    minIdleConns: pool(),
    idleCheckFrequency: pool(),
    idleTimeout: pool(),
    maxConnAge: pool(),
    maxLenApprox: ignored("it would delete unread messages; acknowledged ones are trimmed instead (see retainMs)"),
    streamTTL: ignored("it would delete unread messages; acknowledged ones are trimmed instead (see retainMs)"),
    useEntraID: unsupported("sign-in by Entra ID"),
    useAzureAD: unsupported("sign-in by Entra ID"),
    useOIDC: unsupported("sign-in by OIDC"),

    lease: orDefault(duration(), 15_000).describe(
      "How long a message stays with a sidecar that no longer gives sign of life. Default 15s.",
    ),
    heartbeat: orDefault(duration(), 5_000).describe("How often that sign is given. Default 5s; at most a third of the lease."),
    waitReplicas: orDefault(count(0, 100), 0).describe("A publish succeeds only once so many replicas have it. Default 0."),
    retainMs: orDefault(duration(), 0).describe("Acknowledged messages are kept so long, for replay. Default 0."),
    trimInterval: orDefault(duration(), 5_000).describe("How often acknowledged messages are trimmed. Default 5s."),
    consumerRetention: orDefault(duration(), 3_600_000).describe(
      "Empty consumers of ended sidecars are deleted after so long without use. Default 1h.",
    ),
  })
  .transform((options) => ({
    ...options,
    hosts: parseHosts(options.redisHost, options.redisPort),
    redeliverInterval: options.redeliverInterval || 1_000,
    processingTimeout: options.processingTimeout || 60_000,
    dialTimeout: options.dialTimeout || 5_000,
    readTimeout: options.readTimeout < 0 ? LONGEST_SILENCE_MS : options.readTimeout || 3_000,
    redisMinRetryInterval: options.redisMinRetryInterval > 0 ? options.redisMinRetryInterval : 8,
    redisMaxRetryInterval: options.redisMaxRetryInterval > 0 ? options.redisMaxRetryInterval : 512,
    // Go Layotto takes a list of Sentinels only where redisType is cluster.
    redisType: options.failover ? "node" : options.redisType,
    redisDB: options.redisType === "cluster" && !options.failover ? 0 : options.redisDB,
  }))
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message, input: undefined });
    if (options.hosts.length === 0) refuse("redisHost", "expected host:port");
    if (options.hosts.length > 1 && options.redisType === "node" && !options.failover) {
      refuse("redisHost", "a list of hosts needs redisType cluster, or failover");
    }
    if (options.failover && !options.sentinelMasterName) refuse("sentinelMasterName", "failover needs the master's name");
    if (!options.clientCert !== !options.clientKey) refuse("clientCert", "clientCert and clientKey belong together");
    if (options.heartbeat <= 0 || options.heartbeat > options.lease / 3) refuse("heartbeat", "expected at most a third of the lease");
    if (options.trimInterval <= 0) refuse("trimInterval", "expected more than 0");
  });

export type RedisOptions = z.output<typeof redisOptions>;

export interface Host {
  readonly host: string;
  readonly port: number;
}

/** `localhost`, `10.0.0.1:6380`, `[::1]:6380`, and lists of them. */
function parseHosts(list: string, defaultPort: number): readonly Host[] {
  const hosts: Host[] = [];
  for (const item of list.split(",")) {
    const match = /^\s*(?:\[([^\]]+)\]|([^\s:]+))(?::(\d+))?\s*$/.exec(item);
    const host = match?.[1] ?? match?.[2];
    if (host === undefined) return [];
    hosts.push({ host, port: match?.[3] === undefined ? defaultPort : Number(match[3]) });
  }
  return hosts;
}
