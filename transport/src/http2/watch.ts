import type { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { FieldSection } from "./field-section.ts";
import { ErrorCode } from "./protocol.ts";

/** The payload of our own PING; others are somebody else's. */
const ALIVE = Buffer.from("layotto?");

/** Looks now and then whether the peer still takes part: its handshake, its answers, and what it reads. */
export class Watch<Section extends FieldSection> {
  readonly #connection: Connection<Section>;
  readonly #options: ConnectionOptions<Section>;
  readonly #handshake: NodeJS.Timeout;
  readonly #stalled: NodeJS.Timeout;
  #keepalive: NodeJS.Timeout | undefined;
  /** Runs while an answer to our PING is due. */
  #patience: NodeJS.Timeout | undefined;
  #heard = false;
  /** What had left at the last look, if more waited. */
  #taken = -1;

  constructor(connection: Connection<Section>, options: ConnectionOptions<Section>) {
    this.#connection = connection;
    this.#options = options;
    const { handshakeMs, stalledMs } = options.limits;
    this.#handshake = setTimeout(() => connection.fail(ErrorCode.SETTINGS_TIMEOUT, `no SETTINGS within ${handshakeMs} ms`), handshakeMs);
    this.#stalled = setInterval(() => this.#lookForStalls(stalledMs), stalledMs / 2).unref();
  }

  settled(): void {
    clearTimeout(this.#handshake);
    const { keepaliveMs } = this.#options;
    if (keepaliveMs > 0) this.#keepalive = setInterval(() => this.#lookForLife(), keepaliveMs).unref();
  }

  /** Something came. */
  heard(): void {
    this.#heard = true;
    if (this.#patience === undefined) return;
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  stop(): void {
    clearTimeout(this.#handshake);
    clearInterval(this.#stalled);
    clearInterval(this.#keepalive);
    clearTimeout(this.#patience);
  }

  #lookForLife(): void {
    if (this.#heard || this.#patience !== undefined) {
      this.#heard = false;
      return;
    }
    this.#connection.sender.ping(ALIVE);
    const { keepaliveTimeoutMs } = this.#options;
    const giveUp = () => {
      // Heard at last: after a pause of this process the answer lies in the socket, and is read after the timers.
      if (this.#patience === undefined) return;
      this.#connection.fail(ErrorCode.NO_ERROR, `no answer to a PING within ${keepaliveTimeoutMs} ms`);
    };
    this.#patience = setTimeout(() => setImmediate(giveUp), keepaliveTimeoutMs).unref();
  }

  /** A stream that goes on may wait for its reader as long as it likes. */
  #lookForStalls(stalledMs: number): void {
    const { sender, socket } = this.#connection;
    const { unread } = sender.outbox;
    const taken = socket.bytesWritten - unread;
    if (unread > 0 && taken === this.#taken) {
      this.#connection.end(`the peer has not read for ${stalledMs / 2} ms or more`);
      socket.destroy();
      return;
    }
    this.#taken = unread > 0 ? taken : -1;
    const since = performance.now() - stalledMs;
    for (const stream of [...sender.waiting]) {
      if (stream.queue?.complete && stream.queue.progressAt < since) this.#connection.stalled(stream);
    }
  }
}
