// npm run subscriber -- --help
import { parseArgs } from "node:util";
import { createSubscriber } from "layotto-sdk";

const { values } = parseArgs({
  options: {
    pubsub: { type: "string", short: "s", default: "redis" },
    topic: { type: "string", short: "t", multiple: true, default: ["topic1"] },
    retry: { type: "string", short: "r" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(`npm run subscriber [-- OPTIONS]: subscribes through the sidecar and prints what arrives, until Ctrl-C.
  -s, --pubsub NAME   the pubsub's name in the sidecar's configuration (redis)
  -t, --topic TOPIC   the topic (topic1); may be repeated
  -r, --retry TEXT    asks for another try of data that has TEXT in it
It listens on 127.0.0.1, port $appcallback_GRPC_PORT (9999).`);
  process.exit();
}

const subscriber = createSubscriber();
for (const topic of values.topic) {
  subscriber.subscribe(values.pubsub, topic, (event) => {
    console.log(`Received a new event.Topic: ${event.topic} , Data:${event.text()} `);
    return values.retry !== undefined && event.text().includes(values.retry) ? "retry" : "success";
  });
}
const address = await subscriber.listen();
console.log(`Start listening on port ${address.slice(address.lastIndexOf(":") + 1)} ...... `);

// The handler that runs may finish; what was not handled comes again.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void subscriber.close(AbortSignal.timeout(5_000)));
