import { EventEmitter } from "node:events";
import type { Thread } from "../../components/embedded/link.ts";
import { unpack } from "../../components/embedded/packing.ts";
import type { Reply, Request } from "../../components/embedded/protocol.ts";
import type { Machine } from "./machine.ts";
import { type Fate, textOf } from "./stage.ts";

/** The thread of an embedded broker, which answers when the world says so, and dies when it says so. */
export class HeldThread extends EventEmitter implements Thread {
  readonly #machine: Machine;
  readonly #stored: (topic: string, text: string) => void;
  readonly #left: (file: string) => void;
  #request: Request | undefined;
  #end: Promise<void> | undefined;
  #ending = false;

  /** `stored` hears of each message that the store has, whether or not its reply arrives; `left` of the file that the next thread finds. */
  constructor(machine: Machine, stored: (topic: string, text: string) => void, left: (file: string) => void) {
    super();
    this.#machine = machine;
    this.#stored = stored;
    this.#left = left;
  }

  /** For a step: a request, or its own end, which takes a real thread its time. */
  get waiting(): boolean {
    return this.#request !== undefined || this.#ending;
  }

  postMessage(request: Request, transfer: readonly ArrayBuffer[]): void {
    if (!this.#end) this.#request = structuredClone(request, { transfer: [...transfer] });
  }

  async step(fate: Fate): Promise<void> {
    if (this.#end) return this.#end;
    const reply = fate === "request lost" ? undefined : await this.#arrive();
    if (fate === "answered" && reply) this.emit("message", reply);
    else if (fate !== "answered") {
      await this.terminate();
      this.emit("error", new Error("the world ended this thread"));
    }
  }

  /** The process ends. `arriving`: after the store did what it was asked for. */
  async kill(arriving: boolean): Promise<void> {
    if (arriving) await this.#arrive();
    await this.terminate();
  }

  terminate(): Promise<void> {
    this.#request = undefined;
    this.#end ??= this.#kill();
    return this.#end;
  }

  async #kill(): Promise<void> {
    this.#ending = true;
    this.#left(await this.#machine.kill());
    this.#ending = false;
  }

  async #arrive(): Promise<Reply | undefined> {
    const request = this.#request;
    if (!request) return undefined;
    this.#request = undefined;
    const { publish } = request;
    // The worker takes the buffers away.
    const data = publish ? unpack(publish.sizes, publish.data).map((bytes) => textOf(bytes)) : [];
    const reply = await this.#machine.handle(request);
    if (publish && Array.isArray(reply.published)) {
      for (const [index, position] of (reply.published as readonly number[]).entries()) {
        if (position > 0) this.#stored(publish.topics[publish.topic[index] ?? 0] ?? "", data[index] ?? "");
      }
    }
    return reply;
  }
}
