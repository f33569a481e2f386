// An app on Layotto's own JS SDK, as its users write one: subscribes, publishes, and prints what it is called back with.
const { Client, Server } = require("layotto");

const quiet = { info() {}, warn: console.error, error: console.error };
const server = new Server(process.env.appcallback_GRPC_PORT, undefined, { logger: quiet });
server.pubsub.addPubSubSubscription("broker", "topic1");
let refused = false;
server.pubsub.subscribe("broker", "topic1", async (data, request) => {
  console.log(JSON.stringify({ data, topic: request.topic, type: request.dataContentType, metadata: request.metadata }));
  if (data.again && !refused) {
    refused = true;
    throw new Error("once more");
  }
});
server.start().then(async () => {
  const client = new Client(process.env.runtime_GRPC_PORT, "127.0.0.1");
  await client.pubsub.publish({ pubsubName: "broker", topic: "topic1", data: { hello: "wörld" }, metadata: { mykey: "v" } });
  await client.pubsub.publish({ pubsubName: "broker", topic: "topic1", data: { again: true } });
  await client.pubsub
    .publish({ pubsubName: "nope", topic: "topic1", data: {} })
    .catch(({ code, details }) => console.log(`${code} ${details}`));
});
