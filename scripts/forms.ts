/** What docs/configuration.md says before its keys: the forms of values. */
export const FORMS = `Durations are \`250ms\`, \`15s\`, \`1h30m\`, or a number of milliseconds; sizes are \`64MiB\`, \`256KB\`, or a number of bytes. In any text \`\${NAME}\` and
\`\${NAME:-default}\` stand for variables of the environment. A value of \`metadata\` may be a secret, read at the start and never shown:

\`\`\`yaml
pubsubs:
  orders:
    type: kafka
    metadata:
      brokers: localhost:9092
      saslUsername: app1
      saslPassword: { secret: "env:KAFKA_PASSWORD" }
      caCert: { secret: "file:ca.pem" }
\`\`\`

\`env:\` names a variable, \`file:\` a file (from the configuration's own folder on), \`json:FILE#KEY\` a key in a file of JSON.
`;

/** And behind them: the metadata that has a meaning. */
export const METADATA = `
## Metadata of a publish and of a subscription

An app may send any metadata with a publish: it reaches the subscribers. Some has a meaning of its own:

| metadata of a publish | meaning |
|---|---|
| \`partitionKey\` | The key of the message: with \`order: key\` those of one key come one after the other. |
| \`ttlInSeconds\` | A whole number above 0: after so long it is not delivered any more. |
| \`rawPayload\` | \`true\`: published as it is, without an envelope. |
| \`dedupId\` | What the broker takes for a repeat, where it removes them (snssqs with \`fifo\`), and your app elsewhere: with it a publish is tried again whatever \`publish.duplicates\` says. |
| \`rocketmq-tag\`, \`rocketmq-key\`, \`rocketmq-shardingkey\` | RocketMQ's tag, its keys, and another word for \`partitionKey\`. |

| metadata of a subscription | meaning |
|---|---|
| \`order\`, \`deadLetterTopic\`, \`maxFailures\`, \`rawPayload\` | As the keys of \`subscriptions\` (\`maxFailures\`: of \`retry\`), for apps that ask for their subscriptions themselves. |
| \`queueName\` | snssqs: reads this queue, whoever fills it. |
| \`rocketmq-sub-type\`, \`rocketmq-sub-expression\`, \`rocketmq-tag\` | RocketMQ's filter: \`tag\` or \`sql92\`, and its expression; or a tag alone. |
`;
