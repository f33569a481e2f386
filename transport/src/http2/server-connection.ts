import type { Socket } from "node:net";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { FieldSection } from "./field-section.ts";
import { Allowance } from "./limits.ts";
import { ConnectionError, ErrorCode, Frame, MAX_STREAM_ID, PREFACE, Setting } from "./protocol.ts";
import { announceSettings } from "./settings-exchange.ts";
import type { Stream } from "./stream.ts";

const DRAINING = Buffer.from("draining");
const HTTP1 = /^[A-Z]+ \S+ HTTP\/1\.[01]\r?\n/;
const HTTP1_TEXT = "This address speaks HTTP/2 (gRPC) only.\n";

/** The server's end of a connection. */
export abstract class ServerConnection<Section extends FieldSection> extends Connection<Section> {
  readonly #resets: Allowance;
  #preface: Buffer | undefined = Buffer.alloc(0);
  /** `announced`: the peer may not have read the first GOAWAY yet; its streams are still taken. */
  #draining: "no" | "announced" | "refusing" = "no";

  constructor(socket: Socket, options: ConnectionOptions<Section>) {
    super(socket, options);
    const { limits } = options;
    this.#resets = new Allowance(limits.resets, performance.now());
  }

  /** A request whose HTTP/2 is sound. */
  protected abstract request(section: Section): Stream<Section>;

  /** Lets the running streams finish, then closes (RFC 9113 section 6.8): what the peer sends before it knows is still served. */
  drain(): void {
    if (this.#draining !== "no" || !this.reading) return;
    // Nothing has been said on it yet, and nothing was asked.
    if (this.#preface !== undefined) {
      this.end("drained");
      return;
    }
    this.#draining = "announced";
    this.sender.goAway(MAX_STREAM_ID, ErrorCode.NO_ERROR);
    this.sender.ping(DRAINING);
  }

  sentEnd(stream: Stream<Section>): void {
    stream.localEnded = true;
    if (stream.remoteEnded) this.finished(stream);
    // The answer is whole, and nobody waits for the rest of the request (section 8.1).
    else this.reset(stream, ErrorCode.NO_ERROR);
  }

  override stalled(stream: Stream<Section>): void {
    this.abort(stream, ErrorCode.ENHANCE_YOUR_CALM, `the peer has opened no window for ${this.limits.stalledMs} ms`);
  }

  protected override opened(id: number, section: Section): Stream<Section> | undefined {
    if (id % 2 === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a client opened a stream with an even number");
    this.lastPeerId = id;
    if (this.streams.size >= this.limits.maxConcurrentStreams || this.#draining === "refusing")
      return this.#refuse(id, ErrorCode.REFUSED_STREAM);
    if (section.requestFault !== undefined) return this.#refuse(id, ErrorCode.PROTOCOL_ERROR);
    const stream = this.request(section);
    stream.id = id;
    stream.connection = this;
    stream.sendWindow = this.peer.initialWindow;
    stream.receiveWindow = this.limits.streamWindowBytes;
    this.streams.add(stream);
    return stream;
  }

  /** Trailers. */
  protected override admits(stream: Stream<Section>, section: Section, ended: boolean): boolean {
    const fault = section.trailersFault ?? (ended ? undefined : "a header section between messages");
    if (fault !== undefined) this.fault(stream, ErrorCode.PROTOCOL_ERROR, fault);
    return fault === undefined;
  }

  protected override received(chunk: Buffer): void {
    if (this.#preface === undefined) {
      this.reader.push(chunk);
      return;
    }
    const begin = this.#preface.length === 0 ? chunk : Buffer.concat([this.#preface, chunk]);
    const length = Math.min(begin.length, PREFACE.length);
    if (begin.compare(PREFACE, 0, length, 0, length) !== 0) {
      this.#notHttp2(begin);
      return;
    }
    if (length < PREFACE.length) {
      this.#preface = begin;
      return;
    }
    this.#preface = undefined;
    this.#greet();
    this.reader.push(begin, PREFACE.length);
  }

  protected override wasReset(): void {
    if (!this.#resets.take(performance.now())) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many streams were reset");
  }

  override pongReceived(payload: Buffer): void {
    if (this.#draining !== "announced" || !payload.equals(DRAINING)) return;
    this.#draining = "refusing";
    this.sender.goAway(this.lastPeerId, ErrorCode.NO_ERROR);
    // Not before: until now there may have come more of them.
    for (const stream of this.streams.all()) stream.onClosing();
    this.streamClosed();
  }

  protected override streamClosed(): void {
    if (this.#draining === "refusing" && this.streams.size === 0 && this.sender.queued === 0) this.end("drained");
  }

  override isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.lastPeerId;
  }

  override resettled(): void {}

  override wentAway(): void {}

  /** Not before the peer has shown that it speaks HTTP/2: another could not read why it is turned away. */
  #greet(): void {
    const { limits } = this;
    announceSettings(this.sender, limits, [
      [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
      [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
      [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
    ]);
  }

  #refuse(id: number, code: ErrorCode): undefined {
    this.countIdle("refused streams");
    this.recent.reset(id, this.streams.size);
    this.sender.number(Frame.RST_STREAM, id, code);
  }

  #notHttp2(begin: Buffer): void {
    if (HTTP1.test(begin.toString("latin1", 0, 1_024))) {
      this.socket.write(
        `HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\ncontent-length: ${HTTP1_TEXT.length}\r\nconnection: close\r\n\r\n${HTTP1_TEXT}`,
      );
      this.end("the peer speaks HTTP/1");
      return;
    }
    throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "the connection does not begin with the preface of HTTP/2");
  }
}
