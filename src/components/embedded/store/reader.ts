import type { Order } from "../../../pubsub/subscription.ts";
import { pack } from "../packing.ts";
import { type LendFrame, weight } from "../protocol.ts";
import type { Group } from "./group.ts";
import type { Row } from "./log.ts";

/** A subscription as the worker sees it: its window, what is lent to it, and what the next reply will bring it. */
export class Reader {
  readonly id: number;
  readonly group: Group;
  readonly order: Order;
  #windowMessages = 0;
  #windowBytes = 0;
  #lentMessages = 0;
  #lentBytes = 0;
  #frame: Omit<LendFrame, "data"> | undefined;
  #data: Uint8Array[] = [];

  constructor(id: number, group: Group, order: Order) {
    this.id = id;
    this.group = group;
    this.order = order;
  }

  window(messages: number, bytes: number): void {
    this.#windowMessages = messages;
    this.#windowBytes = bytes;
  }

  get windowMessages(): number {
    return this.#windowMessages;
  }

  /** Messages that may still be lent, whatever their size. */
  get room(): number {
    return this.#windowBytes > this.#lentBytes ? Math.max(0, this.#windowMessages - this.#lentMessages) : 0;
  }

  /** It has something that is not settled. */
  get busy(): boolean {
    return this.#lentMessages > 0;
  }

  /** Whether a message of this key is lent in its place, whatever it waits for. */
  keepsPlace(key: string | null): boolean {
    return this.order === "topic" || (this.order === "key" && key !== null);
  }

  /** `notBefore`: wall clock; it is told with what is lent before its time, to keep its place. */
  lend(row: Row, failures: number, notBefore: number, now: number): void {
    const [pos, at, , key, attrs, data] = row;
    this.#lentMessages++;
    this.#lentBytes += weight(data.byteLength, attrs);
    this.#frame ??= { reader: this.id, positions: [], publishedAt: [], failures: [], notBefore: [], keys: [], attributes: [], sizes: [] };
    if (notBefore > now && this.keepsPlace(key)) this.#frame.notBefore.push(this.#frame.positions.length, notBefore);
    this.#frame.positions.push(pos);
    this.#frame.publishedAt.push(at);
    this.#frame.failures.push(failures);
    this.#frame.keys.push(key);
    this.#frame.attributes.push(attrs);
    this.#frame.sizes.push(data.byteLength);
    this.#data.push(data);
  }

  returned(size: number): void {
    this.#lentMessages--;
    this.#lentBytes -= size;
  }

  /** After `returned`, when that turned out not to stand. */
  relent(size: number): void {
    this.#lentMessages++;
    this.#lentBytes += size;
  }

  /** What was lent since the last time. */
  takeFrame(): LendFrame | undefined {
    if (!this.#frame) return undefined;
    const frame = { ...this.#frame, data: pack(this.#data, true) };
    this.#frame = undefined;
    this.#data = [];
    return frame;
  }
}
