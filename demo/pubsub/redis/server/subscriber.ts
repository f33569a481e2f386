// Subscribes and prints what arrives: `subscriber [-s PUBSUB] [-t TOPIC]… [-r TEXT]`. With -r it asks for another try of data that has TEXT in it.
import { parseArgs } from "node:util";
import { createSubscriber } from "layotto-sdk";

const { values } = parseArgs({
  options: {
    pubsub: { type: "string", short: "s", default: "redis" },
    topic: { type: "string", short: "t", multiple: true, default: ["topic1"] },
    retry: { type: "string", short: "r" },
  },
});

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
