import type { Finding } from "../src/pubsub/pubsub.ts";

/** What the table of findings says, for any server: the findings themselves name what they saw. findings.test.ts holds it to the components. */
export const FINDINGS: readonly Finding[] = [
  {
    id: "embedded.network-file-system",
    level: "refuse",
    found: "The file is on a network file system: two processes could own it at once, and a written message may be lost.",
    remedy: "Keep the data directory on a local disk.",
  },
  {
    id: "embedded.not-synchronous",
    level: "refuse",
    found: "The file's `journal_mode` is not `wal`, or `synchronous` not `FULL`: a message could be acknowledged before it is on disk.",
    remedy: "Keep the file on a local disk, where SQLite's write-ahead log works.",
  },
  {
    id: "embedded.unknown-file-system",
    level: "warn",
    found: "The file is on FUSE or 9p, which may not keep what was written through a power cut.",
    remedy: "Keep the data directory on a local disk.",
  },
  {
    id: "embedded.volatile-file-system",
    level: "warn",
    found: "The file is on tmpfs or ramfs: its messages end with the machine, or the container.",
    remedy: "Keep the data directory on a local disk.",
  },
  {
    id: "embedded.disk-nearly-full",
    level: "warn",
    found: "The file's disk has less than 256 MiB left; when it is full, publishing fails.",
    remedy: "Make room, or lower `retention` and `retentionBytes`.",
  },
  {
    id: "in-memory.volatile",
    level: "warn",
    found: "Messages are kept in memory and are lost when the process ends.",
    remedy: "Use it for tests and demonstrations; the type `embedded` keeps messages in a file.",
  },
  {
    id: "kafka.acks",
    level: "refuse",
    found: "`producerRequiredAcks` is neither `all` nor -1: a publish would succeed before the replicas have the message.",
    remedy: "Set `producerRequiredAcks` to `all`, or leave it out.",
  },
  {
    id: "kafka.plaintext-password",
    level: "warn",
    found: "`saslMechanism` is PLAIN without TLS: whoever is on the way to the brokers reads the password.",
    remedy: "Set `enableTLS` to true, not `disableTls`, and `brokers` to a listener of SASL_SSL; or `saslMechanism` to SCRAM-SHA-512.",
  },
  {
    id: "kafka.settings-unknown",
    level: "warn",
    found: "The brokers do not let us read their settings, so what they risk is not known.",
    remedy: "Allow DescribeConfigs on the cluster to the user of the component.",
  },
  {
    id: "kafka.one-replica",
    level: "warn",
    found:
      "`replicationFactor` of the component, or else `default.replication.factor`, is 1: a topic that is created so has one copy, which ends with its broker's disk.",
    remedy: "Set one of the two to 3, in a cluster of at least as many brokers.",
  },
  {
    id: "kafka.min-insync-replicas",
    level: "warn",
    found: "`min.insync.replicas` is 1: a publish may succeed while only the leader has the message, and be lost with it.",
    remedy: "Set `min.insync.replicas` to 2.",
  },
  {
    id: "kafka.unclean-leader-election",
    level: "warn",
    found:
      "`unclean.leader.election.enable` is true: a replica that lags may become the leader, and messages that were acknowledged are gone.",
    remedy: "Set it to false.",
  },
  {
    id: "kafka.auto-create-topics",
    level: "warn",
    found: "`auto.create.topics.enable` is true: whoever asks for a topic makes it, with the broker's own number of partitions.",
    remedy: "Set it to false; the component creates topics by itself, with `partitions` and `replicationFactor`.",
  },
  {
    id: "kafka.offsets-retention",
    level: "warn",
    found:
      "`offsets.retention.minutes` is less than topics keep messages: a group whose readers are away for longer is forgotten, and begins where its subscription says.",
    remedy: "Set it to at least the retention of the topics.",
  },
  {
    id: "kafka.retention",
    level: "warn",
    found: "A message has waited for more than half of the time that topics keep messages: if it waits on, it will be deleted unread.",
    remedy: "See why its group does not read it, or raise the topic's `retention.ms`.",
  },
  {
    id: "redis.version",
    level: "refuse",
    found: "The server is older than Redis 6.2, and cannot look for idle messages.",
    remedy: "Use Redis 6.2 or newer.",
  },
  {
    id: "redis.cluster",
    level: "refuse",
    found: "The server belongs to a cluster and `redisType` is not `cluster`, or the other way round.",
    remedy: "Set `redisType` to what the server is: `cluster` or `node`.",
  },
  {
    id: "redis.maxmemory-policy",
    level: "refuse",
    found: "`maxmemory-policy` is one of `allkeys-*`: when memory is full, Redis deletes whole topics.",
    remedy: "Set `maxmemory-policy` to `noeviction`.",
  },
  {
    id: "redis.info-unreadable",
    level: "warn",
    found: "The server does not let us read what it says of itself (INFO): nobody knows its version, nor whether it has replicas.",
    remedy: "See to it that it is Redis 6.2 or newer. Allow the user `+info` to have it checked.",
  },
  {
    id: "redis.config-unreadable",
    level: "warn",
    found: "The server does not let us read its settings: nobody knows whether it evicts messages or writes them to disk.",
    remedy: "See to it that `maxmemory-policy` is `noeviction` and that it persists.",
  },
  {
    id: "redis.appendonly",
    level: "warn",
    found: "`appendonly` is off: what was acknowledged is lost when Redis ends.",
    remedy: "Set `appendonly` to `yes`.",
  },
  {
    id: "redis.appendfsync",
    level: "warn",
    found: "`appendfsync` is not `always`: up to a second of acknowledged messages is lost when the machine fails.",
    remedy: "Set `appendfsync` to `always` if that must not be; publishing gets slower.",
  },
  {
    id: "redis.replicas",
    level: "warn",
    found: "The server has replicas, and a publish succeeds before any of them has it: a failover loses what it had not copied.",
    remedy: "Set `waitReplicas` to 1 if that must not be.",
  },
  {
    id: "redis.max-len",
    level: "warn",
    found: "`maxLenApprox` and `streamTTL` are without effect: they would delete messages that nobody has read yet.",
    remedy: "Remove them. What every group has acknowledged is trimmed by itself; `retainMs` keeps it longer.",
  },
  {
    id: "rocketmq.limit",
    level: "refuse",
    found: "A group gives a message only so many times, crashes included; then RocketMQ takes it out of the topic.",
    remedy: "Lift the limit with the `mqadmin` command that the finding gives.",
  },
  {
    id: "rocketmq.unchecked",
    level: "warn",
    found: "Without `nameServer` the brokers' settings are not checked, and no topic or group is made.",
    remedy: "Set `nameServer`, or give each group the retries that the finding names, with `mqadmin updateSubGroup`.",
  },
  {
    id: "rocketmq.flush",
    level: "warn",
    found:
      "`flushDiskType` is not `SYNC_FLUSH`: what was acknowledged within the last half second is lost when the broker's machine fails.",
    remedy: "Set `flushDiskType` to `SYNC_FLUSH` if that must not be; publishing gets slower.",
  },
  {
    id: "rocketmq.retention",
    level: "warn",
    found: "Messages are deleted after `fileReservedTime` hours, acknowledged or not.",
    remedy: "Set `fileReservedTime` to more hours than an app may ever be away.",
  },
  {
    id: "snssqs.redrive-policy",
    level: "warn",
    found:
      "A queue has a redrive policy: SQS moves a message away after so many receives, whether or not it failed. Without `allowRedrive` the queue is not read.",
    remedy: "Remove it and use `deadLetterTopic`, or set `allowRedrive`.",
  },
  {
    id: "snssqs.kms-key",
    level: "warn",
    found:
      "A queue is encrypted with a key of KMS: unless the key lets SNS use it, SNS drops every message for the queue. With `alias/aws/sqs`, which SNS can never use, the queue is not read.",
    remedy:
      "Allow `sns.amazonaws.com` `kms:GenerateDataKey` and `kms:Decrypt` in the key's policy. Instead of `alias/aws/sqs` use a key of your own, or that of SQS itself (`SqsManagedSseEnabled`).",
  },
  {
    id: "snssqs.queue-policy",
    level: "warn",
    found:
      "The policy of a queue does not let the topic put messages there, so that SNS drops them without a word; or it cannot be read. If it lets SNS put nothing there at all, the queue is not read.",
    remedy: "Allow `sns.amazonaws.com` `sqs:SendMessage`, with `aws:SourceArn` being the topic.",
  },
  {
    id: "snssqs.retention",
    level: "warn",
    found: "A queue keeps messages for less than 14 days, handled or not.",
    remedy: "If 14 days are better, use the `aws` command that the finding gives.",
  },
  {
    id: "snssqs.message-size",
    level: "warn",
    found: "A queue takes smaller messages than SNS does: it never gets what is larger.",
    remedy: "Use the `aws` command that the finding gives; it raises `MaximumMessageSize`.",
  },
  {
    id: "snssqs.filter-policy",
    level: "warn",
    found: "The subscription of a queue has a filter policy: what it does not match is never delivered.",
    remedy: "Remove it if the app is to get every message.",
  },
  {
    id: "snssqs.dead-letters",
    level: "warn",
    found:
      "`sqsDeadLettersQueueName` and `messageReceiveLimit` are without effect: they would move messages away by how often they were received.",
    remedy: "Set `deadLetterTopic` of the subscription, and `retry.maxFailures`.",
  },
];
