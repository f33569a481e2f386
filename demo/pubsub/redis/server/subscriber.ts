// Subscribes to one topic and prints what arrives: `subscriber [-s PUBSUB] [-t TOPIC]`.
import { parseArgs } from "node:util";
import { createSubscriber } from "layotto-sdk";

const { values } = parseArgs({
  options: {
    pubsub: { type: "string", short: "s", default: "redis" },
    topic: { type: "string", short: "t", default: "topic1" },
  },
});

const subscriber = createSubscriber().subscribe(values.pubsub, values.topic, (event) => {
  console.log(`Received a new event.Topic: ${event.topic} , Data:${event.text()} `);
});
const address = await subscriber.listen();
console.log(`Start listening on port ${address.slice(address.lastIndexOf(":") + 1)} ...... `);

// The handler that runs may finish; what was not handled comes again.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void subscriber.close(AbortSignal.timeout(5_000)));
