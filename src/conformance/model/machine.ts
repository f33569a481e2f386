import { once } from "node:events";
import { copyFileSync, existsSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Reply, Request, StoreSettings } from "../../components/embedded/protocol.ts";
import { Store } from "../../components/embedded/store/store.ts";

/** What an embedded broker has behind its link. */
export interface Machine {
  handle(request: Request): Promise<Reply>;
  /** It ends where it stands. Resolves with the file that the next one finds. */
  kill(): Promise<string>;
}

export type StartMachine = (settings: StoreSettings) => Machine;

/** A real worker, which is terminated without being closed. */
export const inWorker: StartMachine = (settings) => {
  const worker = new Worker(new URL("../../components/embedded/worker.ts", import.meta.url), { workerData: settings });
  return {
    async handle(request) {
      worker.postMessage(request, [...(request.publish?.data ?? [])]);
      const [reply] = (await once(worker, "message")) as [Reply];
      return reply;
    },
    async kill() {
      await worker.terminate();
      return settings.file;
    },
  };
};

/** A store in this thread, which starts fast. What kill -9 would leave is a copy of its file. */
export const inThisThread: StartMachine = (settings) => {
  const store = new Store(settings);
  return {
    handle(request) {
      const reply = structuredClone(store.handle(request));
      store.rest();
      return Promise.resolve(reply);
    },
    kill() {
      const copy = moved(settings.file);
      // Its handles are closed only now: what closing writes is not in the copy.
      store.handle({ now: 0, elapsed: 0, publish: undefined, settlements: [], windows: [], calls: [{ kind: "close" }] });
      rmSync(join(settings.file, ".."), { recursive: true });
      return Promise.resolve(copy);
    },
  };
};

/** A store's file, as it stands, in a directory of its own. */
function moved(file: string): string {
  const home = `${join(file, "..")}+`;
  mkdirSync(home);
  const copy = join(home, basename(file));
  for (const end of ["", "-wal"]) if (existsSync(file + end)) copyFileSync(file + end, copy + end);
  // What is in it does not matter.
  if (existsSync(`${file}.ballast`)) linkSync(`${file}.ballast`, `${copy}.ballast`);
  return copy;
}
