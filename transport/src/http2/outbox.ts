import type { Socket } from "node:net";

/** How long a connection that has failed may take to be closed by the peer: it shall still read why. Milliseconds. */
const LINGER_MS = 1_000;
/** As long as the peer still takes something in such a time it has more, but not for ever. */
const MOST_LINGERS = 30;
const SLAB_BYTES = 64 * 1024;
const POOLED = 64;
/** Slabs that nobody writes to: an idle connection holds none. */
const pool: Buffer[] = [];

/**
 * What is to be sent, in one piece of memory: all that a turn of the event loop brings leaves in one `socket.write`, which is what makes a
 * small frame cheap.
 */
export class Outbox {
  /** The slab that `reserve` gave room in; another one after each `reserve`. */
  buffer: Buffer = EMPTY;
  readonly #socket: Socket;
  #end = 0;
  #scheduled = false;
  #closed = false;
  #blocked = false;

  /** `onDrain` is called when `blocked` ends. */
  constructor(socket: Socket, onDrain: () => void) {
    this.#socket = socket;
    socket.on("drain", () => {
      this.#blocked = false;
      onDrain();
    });
  }

  /** The peer does not read as fast as we write: what can wait should. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Bytes that wait for the peer to read. */
  get unread(): number {
    return this.#socket.writableLength;
  }

  /** Makes room for `bytes`, at most 64 KiB, and returns where in `buffer` it begins. They are sent at the end of this turn of the event loop. */
  reserve(bytes: number): number {
    let at = this.#end;
    if (at + bytes > this.buffer.length) {
      this.flush();
      this.buffer = pool.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
      at = 0;
    }
    this.#end = at + bytes;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(flush, this);
    }
    return at;
  }

  /** Sends now what is there. */
  flush(): void {
    const { buffer } = this;
    const end = this.#end;
    this.#end = 0;
    this.buffer = EMPTY;
    if (end === 0) return;
    if (!this.#closed && !this.#socket.write(end === buffer.length ? buffer : buffer.subarray(0, end))) this.#blocked = true;
    // Nothing waits: the system has taken all bytes, and the slab is free again.
    if (this.#socket.writableLength === 0 && pool.length < POOLED) pool.push(buffer);
  }

  /** Nothing is written any more: the socket ends when the peer has what was. */
  close(): void {
    const socket = this.#socket;
    this.#closed = true;
    socket.end();
    if (socket.destroyed) return;
    let lingers = 0;
    let taken = takenFrom(socket);
    const cut = setInterval(() => {
      const before = taken;
      taken = takenFrom(socket);
      lingers += 1;
      if (socket.writableLength === 0 || taken === before || lingers === MOST_LINGERS) socket.destroy();
    }, LINGER_MS);
    socket.once("close", () => clearInterval(cut));
  }

  /** At the end of the turn. */
  turn(): void {
    this.#scheduled = false;
    this.flush();
  }
}

/** Bytes that the system has taken. */
const takenFrom = ({ bytesWritten, writableLength }: Socket): number => bytesWritten - writableLength;

const EMPTY = Buffer.alloc(0);

function flush(outbox: Outbox): void {
  outbox.turn();
}
