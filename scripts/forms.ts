/** What docs/configuration.md says before its keys: the forms of values. */
export const FORMS = `Durations are \`250ms\`, \`15s\`, \`1h30m\`, or a number of milliseconds; sizes are \`64MiB\`, \`256KB\`, or a number of bytes. In any text \`\${NAME}\` and
\`\${NAME:-default}\` stand for variables of the environment. A value of \`metadata\` may be a secret, read at the start and never shown:

\`\`\`yaml
pubsubs:
  orders:
    type: kafka
    metadata:
      brokers: localhost:9092
      authType: password
      saslUsername: app1
      saslPassword: { secret: "env:KAFKA_PASSWORD" }
      caCert: { secret: "file:ca.pem" }
\`\`\`

\`env:\` names a variable, \`file:\` a file (from the configuration's own folder on), \`json:FILE#KEY\` a key in a file of JSON. [What metadata means](metadata.md).
`;
