/** What one connection may cost. Each bounds an abuse; what goes beyond ends the stream or the connection, and no other. */
export interface Limits {
  /** Streams at once (SETTINGS_MAX_CONCURRENT_STREAMS); a further one is refused with REFUSED_STREAM. Default: 1,000. */
  readonly maxConcurrentStreams: number;
  /**
   * Bytes of one decoded header list, counted as RFC 9113 section 6.5.2 does (SETTINGS_MAX_HEADER_LIST_SIZE); a larger one fails its call. An encoded
   * block of more than twice as many bytes, or a list of more than 64 times as many, ends the connection. Default: 16 KiB.
   */
  readonly maxHeaderListBytes: number;
  /** Bytes that a stream may send before its receiver takes them (SETTINGS_INITIAL_WINDOW_SIZE). Default: 256 KiB. */
  readonly streamWindowBytes: number;
  /** Bytes that may be on their way on the whole connection. Default: 4 MiB. */
  readonly connectionWindowBytes: number;
  /**
   * Bytes of unfinished and untaken messages that a connection may hold here; beyond it the stream that asks for more ends. Default: 64 MiB, or two
   * messages if they may be larger.
   */
  readonly maxHeldBytes: number;
  /**
   * Bytes that wait for the peer's windows, with 128 more for each piece. Beyond it a stream of messages that adds to them ends, and so does an answer of
   * a server; a client begins no further call until fewer wait. Default: 64 MiB, or two messages if they may be larger.
   */
  readonly maxQueuedBytes: number;
  /** Bytes that wait for the peer to read its socket; beyond it the connection ends. Default: 4 MiB. */
  readonly maxUnreadBytes: number;
  /**
   * Streams that the peer may reset, or make us reset by breaking the rules, at once, and a second in the long run (rapid reset). Default: 5,000
   * and 500.
   */
  readonly resets: Rate;
  /**
   * Frames that cost work and bring nothing, at once and a second in the long run: SETTINGS, PING without traffic between, empty DATA and
   * CONTINUATION, PRIORITY, GOAWAY, frames on closed streams or of unknown types, refused streams. Default: 1,000 and 100.
   */
  readonly idleFrames: Rate;
  /**
   * Interim answers (1xx, RFC 9110 section 15.2) that a server may send before the answer of one call; with one more the call fails with
   * RESOURCE_EXHAUSTED, and its stream is reset with ENHANCE_YOUR_CALM. Default: 100.
   */
  readonly maxInterimResponses: number;
  /** How long a new connection may take for its handshake, up to its first SETTINGS. Milliseconds; default: 10 s. */
  readonly handshakeMs: number;
  /** How long a peer may read nothing of what waits for it, and a client take nothing of an answer. Milliseconds; default: 60 s. */
  readonly stalledMs: number;
}

/** A bucket of `burst` that fills up with `perSecond`. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxConcurrentStreams: 1_000,
  maxHeaderListBytes: 16 * 1024,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 4 * 2 ** 20,
  maxHeldBytes: 64 * 2 ** 20,
  maxQueuedBytes: 64 * 2 ** 20,
  maxUnreadBytes: 4 * 2 ** 20,
  resets: { burst: 5_000, perSecond: 500 },
  idleFrames: { burst: 1_000, perSecond: 100 },
  maxInterimResponses: 100,
  handshakeMs: 10_000,
  stalledMs: 60_000,
};

/** Those of a connection whose messages may have so many bytes. */
export function limitsFor(maxMessageBytes: number, changes: Partial<Limits> = {}): Limits {
  const { maxHeldBytes, maxQueuedBytes } = DEFAULT_LIMITS;
  const atLeast = (bytes: number): number => Math.max(bytes, 2 * maxMessageBytes);
  return { ...DEFAULT_LIMITS, maxHeldBytes: atLeast(maxHeldBytes), maxQueuedBytes: atLeast(maxQueuedBytes), ...changes };
}

/** Counts against a `Rate`. */
export class Allowance {
  readonly #rate: Rate;
  #left: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = now;
  }

  /** Takes one; false: there is none left. `now` in milliseconds, on any clock that does not go back. */
  take(now: number): boolean {
    this.#left = Math.min(this.#rate.burst, this.#left + ((now - this.#at) / 1_000) * this.#rate.perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
