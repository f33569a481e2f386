import { z } from "zod";
import { crypto } from "../../pubsub/crypto.ts";
import { bytes, count, duration, flag, ignored, oneOf, orDefault, secondsOrDuration, text } from "../../pubsub/options.ts";
import { COMPRESSIONS } from "./wire/compression.ts";

const MIB = 2 ** 20;
const MINUTE_MS = 60_000;

/** Dapr's word for a time. */
const seconds = (mostMinutes: number) => secondsOrDuration(mostMinutes * MINUTE_MS);

const refused = (what: string, instead: string) =>
  text()
    .optional()
    .refine((value) => value === undefined || value === "" || value.toLowerCase() === "false", {
      error: `${what} is not supported: ${instead}`,
    })
    .describe(`Must be absent or false: ${what} is not supported.`);

const retried = () => ignored("the engine retries, by the subscription's own policy");
const unregistered = () => ignored("there is no schema registry");
/** A word that may be left out, or empty. */
const given = <T>(word: z.ZodType<T, unknown>) => z.preprocess((value) => (value === "" ? undefined : value), word.optional());

const MECHANISMS = ["PLAIN", "PLAINTEXT", "SCRAM-SHA-256", "SCRAM-SHA-512", "SHA-256", "SHA-512"] as const;
const AUTH_TYPES = ["none", "password", "mtls", "oidc", "certificate"] as const;

/** The keys of `metadata`: Layotto's and Dapr's with their defaults, then our own. Bare numbers in Dapr's times are seconds, as they are there; in our own milliseconds. */
export const kafkaOptions = z
  .strictObject({
    brokers: text().describe("`host:port`, or a comma list of some of the cluster's brokers."),
    consumerGroup: text().optional().describe("The group of subscriptions that name none. Default: consumerID, else the app's id."),
    clientID: text().optional().describe("How brokers name us in their logs and quotas. Default: the app's id."),
    authType: given(oneOf(AUTH_TYPES)).describe(
      "`none`, or by TLS `password` (SASL), `oidc` (SASL OAUTHBEARER), `mtls` (clientCert) or `certificate` (caCert alone). Absent: authRequired decides, and TLS comes with caCert, clientCert, skipVerify or enableTLS.",
    ),
    authRequired: given(flag()).describe("Layotto's older word, where there is no authType: true means a sign-in by password."),
    saslUsername: text().optional().describe("User, with authType password."),
    saslPassword: text().optional().describe("Password, with authType password."),
    saslMechanism: orDefault(oneOf(MECHANISMS), "PLAIN").describe("PLAIN (default; Dapr: PLAINTEXT), SCRAM-SHA-256 or SCRAM-SHA-512."),
    oidcTokenEndpoint: text().optional().describe("URL that gives tokens, with authType oidc. caCert and skipVerify count for it too."),
    oidcClientID: text().optional().describe("Client id at that URL."),
    oidcClientSecret: text().optional().describe("Client secret at that URL."),
    oidcScopes: orDefault(text(), "openid").describe("Comma list of scopes. Default openid."),
    oidcExtensions: text().optional().describe("JSON object of SASL extensions that the broker wants beside the token."),
    caCert: text().optional().describe("PEM text of the authority that signed the brokers' certificates. Default: the system's."),
    clientCert: text().optional().describe("PEM text of our own certificate."),
    clientKey: text().optional().describe("PEM text of our own key."),
    skipVerify: orDefault(flag(), false).describe("Accept any certificate of a broker. Default false."),
    disableTls: orDefault(flag(), false).describe("Without TLS, also where authType is not none. Default false."),
    enableTLS: orDefault(flag(), false).describe("By TLS, whatever authType is. Default false: see authType."),
    maxMessageBytes: bytes()
      .optional()
      .describe("Most bytes of one message. Default: what the broker takes (Dapr documents 1024, and does not keep to it)."),
    heartbeatInterval: orDefault(seconds(10), 3_000).describe(
      "How often a reader gives sign of life: at most a third of sessionTimeout. A bare number is seconds. Default 3s.",
    ),
    sessionTimeout: orDefault(seconds(30), 10_000).describe(
      "How long a reader keeps its partitions without a sign of life: at least three times heartbeatInterval. A bare number is seconds. Default 10s.",
    ),
    consumerFetchMin: orDefault(bytes(), 1).describe("Least bytes that a fetch waits for. Default 1."),
    consumerFetchDefault: orDefault(bytes(), MIB).describe("Most bytes of one fetch, as far as the window allows. Default 1MiB."),
    compression: orDefault(oneOf(COMPRESSIONS), "none").describe("Of what is published: none (default), gzip, snappy, lz4 or zstd."),
    partitioner: orDefault(oneOf(["murmur2", "fnv1a"]), "murmur2").describe(
      "How the partition of a key is chosen: `murmur2` (default), as Java's client does, or `fnv1a`, as Go Layotto and Dapr do. Who publishes to one topic must use the same.",
    ),
    producerRequiredAcks: orDefault(oneOf(["all", "-1", "1", "0", "local", "none"]), "all").describe(
      "Must be `all` (default): with less a message that was acknowledged may be lost, and the component is not used.",
    ),
    escapeHeaders: orDefault(flag(), false).describe(
      "Header values are delivered escaped as in a URL, as with Dapr: `a b` as `a+b`. Default false.",
    ),
    excludeHeaderMetaRegex: text()
      .optional()
      .describe("Metadata whose name matches is neither published as a header nor delivered from one."),
    initialOffset: given(oneOf(["newest", "oldest"])).describe(
      "Where a new group begins, unless its subscription has a `start`: `oldest` (default; Dapr, Layotto: newest) or `newest`.",
    ),
    clientConnectionTopicMetadataRefreshInterval: orDefault(seconds(60), 60_000).describe(
      "How often we look for new partitions and moved leaders unasked. A bare number is seconds. Default 1m (Dapr: 8m). Health's question, every 5s, does so too.",
    ),
    dialTimeout: orDefault(seconds(10), 5_000).describe("Longest wait for a connection. A bare number is seconds. Default 5s (Dapr: 30s)."),
    readTimeout: orDefault(seconds(10), 5_000).describe(
      "Longest silence of a broker that owes a reply; then the connection is made anew. A bare number is seconds. Default 5s (Dapr: 30s).",
    ),

    version: ignored("each broker tells what it speaks"),
    channelBufferSize: ignored("the subscription's own limits decide"),
    writeTimeout: ignored("readTimeout notices a broker that takes no bytes"),
    metadataTimeout: ignored("the publish's and the subscription's own limits decide"),
    clientConnectionKeepAliveInterval: ignored("TCP's keepalive is on, and sessions have heartbeats"),
    producerRetryMax: ignored("the engine decides what is tried again"),
    consumeRetryInterval: retried(),
    consumeRetryEnabled: retried(),
    backOffDuration: retried(),
    backOffMaxRetries: retried(),
    consumerGroupRebalanceStrategy: ignored("partitions are shared cooperatively, and stay where they are"),
    backOffPolicy: retried(),
    backOffInitialInterval: retried(),
    backOffMaxInterval: retried(),
    backOffMaxElapsedTime: retried(),
    backOffMultiplier: retried(),
    backOffRandomizationFactor: retried(),
    schemaCachingEnabled: unregistered(),
    schemaLatestVersionCacheTTL: unregistered(),
    schemaRegistryURL: refused("a schema registry", "payloads travel as they are"),
    schemaRegistryAPIKey: refused("a schema registry", "payloads travel as they are"),
    schemaRegistryAPISecret: refused("a schema registry", "payloads travel as they are"),
    useAvroJSON: refused("Avro", "payloads travel as they are"),
    oidcClientAssertionCert: refused("sign-in by a signed assertion", "use oidcClientSecret"),
    oidcClientAssertionKey: refused("sign-in by a signed assertion", "use oidcClientSecret"),

    partitions: orDefault(count(1, 100_000), 0).describe("Partitions of topics that we create. Default: the broker's `num.partitions`."),
    replicationFactor: orDefault(count(1, 1_000), 0).describe(
      "Replicas of topics that we create. Default: the broker's `default.replication.factor`.",
    ),
    createTopics: orDefault(flag(), true).describe("Create topics that are not there. Default true."),
    rebalanceTimeout: orDefault(duration(), 60_000).describe(
      "How long the group waits for a reader that holds partitions to join again; running calls get half of it when partitions move. Default 1m.",
    ),
    commitInterval: orDefault(duration(), 100).describe("Settled messages are recorded at the broker at least so often. Default 100ms."),
    leaveAfter: orDefault(duration(), 3_000).describe(
      "A reader that is paused and holds nothing leaves its partitions to others after so long. Default 3s.",
    ),
  })
  .transform((options) => ({
    ...options,
    hosts: parseHosts(options.brokers),
    undecided: options.authType === undefined && options.authRequired === undefined,
    authType: options.authType ?? (options.authRequired ? ("password" as const) : ("none" as const)),
    saslMechanism: options.saslMechanism === "PLAINTEXT" ? ("PLAIN" as const) : options.saslMechanism,
    tls: wantsTls(options),
    extensions: parseExtensions(options.oidcExtensions),
    exclude: parsePattern(options.excludeHeaderMetaRegex),
  }))
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message, input: undefined });
    if (options.hosts.length === 0) refuse("brokers", "expected host:port, or a comma list of them");
    if (!options.clientCert !== !options.clientKey) {
      // Told at the one that is missing: the other may hold the key.
      refuse(options.clientCert ? "clientKey" : "clientCert", "clientCert and clientKey belong together");
    }
    if (options.authType === "mtls" && !options.clientCert) refuse("clientCert", "authType mtls needs clientCert and clientKey");
    if (options.authType === "certificate" && !options.caCert) refuse("caCert", "authType certificate needs it");
    if (!options.tls && !options.disableTls && (options.caCert || options.clientCert)) {
      const unused = options.caCert ? "caCert" : "clientCert";
      refuse("authType", `expected none to come with enableTLS, or no authType: without TLS ${unused} has no effect`);
    }
    // Told at no key: what stands there may be a secret.
    for (const problem of problemsOf(options)) context.addIssue({ code: "custom", message: problem, input: undefined });
    if (options.authType === "password" && !options.saslUsername) refuse("saslUsername", "authType password needs it");
    if (options.saslUsername && options.undecided)
      refuse("authType", "expected password, since there is a saslUsername; or none, to leave it aside");
    if (options.authType === "oidc") {
      for (const key of ["oidcTokenEndpoint", "oidcClientID", "oidcClientSecret"] as const) {
        if (!options[key]) refuse(key, "authType oidc needs it");
      }
      if (options.oidcTokenEndpoint && !/^https?:$/.test(URL.parse(options.oidcTokenEndpoint)?.protocol ?? "")) {
        refuse("oidcTokenEndpoint", "expected a URL with http or https");
      }
    }
    if (options.extensions === INVALID) refuse("oidcExtensions", "expected a JSON object of texts");
    if (options.exclude === INVALID) refuse("excludeHeaderMetaRegex", "expected a regular expression");
    if (options.heartbeatInterval <= 0 || options.heartbeatInterval > options.sessionTimeout / 3) {
      refuse("heartbeatInterval", "expected at most a third of sessionTimeout");
    }
    for (const key of ["readTimeout", "dialTimeout", "commitInterval", "rebalanceTimeout"] as const) {
      if (options[key] <= 0) refuse(key, "expected more than 0");
    }
  });

export type KafkaOptions = z.output<typeof kafkaOptions>;

export interface Host {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9092;
const INVALID = "invalid";

interface Security {
  readonly authType?: (typeof AUTH_TYPES)[number] | undefined;
  readonly enableTLS: boolean;
  readonly disableTls: boolean;
  readonly skipVerify: boolean;
  readonly caCert?: string | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** Layotto's files have no authType: there it is what TLS needs that switches it on. */
function wantsTls({ authType, enableTLS, disableTls, skipVerify, caCert, clientCert }: Security): boolean {
  if (disableTls) return false;
  return enableTLS || (authType === undefined ? skipVerify || !!caCert || !!clientCert : authType !== "none");
}

/** What is wrong with texts of PEM, without a letter of them. OpenSSL takes an authority that it cannot read for none. */
function problemsOf({ caCert, clientCert, clientKey }: Security): readonly string[] {
  const problems: string[] = [];
  const read = <T>(key: string, pem: string | undefined, what: string, make: (pem: string) => T): T | undefined => {
    try {
      return pem ? make(pem) : undefined;
    } catch {
      problems.push(`expected ${key} to be the PEM text of ${what}, not a file's name`);
      return undefined;
    }
  };
  const certificate = (pem: string) => new (crypto().X509Certificate)(pem);
  read("caCert", caCert, "a certificate (-----BEGIN CERTIFICATE-----)", certificate);
  const ours = read("clientCert", clientCert, "a certificate (-----BEGIN CERTIFICATE-----)", certificate);
  const key = read("clientKey", clientKey, "a private key (-----BEGIN PRIVATE KEY-----) without a passphrase", (pem) =>
    crypto().createPrivateKey(pem),
  );
  if (ours && key && !ours.checkPrivateKey(key)) problems.push("expected clientKey to be the key of clientCert");
  return problems;
}

/** `localhost:9092`, `10.0.0.1`, `[::1]:9092`, and lists of them. */
function parseHosts(list: string): readonly Host[] {
  const hosts: Host[] = [];
  for (const item of list.split(",")) {
    const match = /^\s*(?:\[([^\]]+)\]|([^\s:]+))(?::(\d+))?\s*$/.exec(item);
    const host = match?.[1] ?? match?.[2];
    const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
    if (host === undefined || port < 1 || port > 65_535) return [];
    hosts.push({ host, port });
  }
  return hosts;
}

function parseExtensions(json: string | undefined): Readonly<Record<string, string>> | typeof INVALID {
  if (!json) return {};
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return INVALID;
    return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
  } catch {
    return INVALID;
  }
}

/** Go has a pattern's flags before it, as in `(?i)^trace`. */
function parsePattern(source: string | undefined): RegExp | undefined | typeof INVALID {
  if (!source) return undefined;
  const [, flags, pattern = source] = /^\(\?([ims]+)\)(.*)$/s.exec(source) ?? [];
  try {
    return new RegExp(pattern, flags);
  } catch {
    return INVALID;
  }
}
