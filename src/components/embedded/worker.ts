import { parentPort, workerData } from "node:worker_threads";
import type { Reply, Request, StoreSettings } from "./protocol.ts";
import { Store } from "./store/store.ts";

const store = new Store(workerData as StoreSettings);

parentPort?.on("message", (request: Request) => {
  const reply: Reply = store.handle(request);
  parentPort?.postMessage(
    reply,
    reply.lent.flatMap(({ data }) => data),
  );
  store.rest();
});
