/** An event as the app gets it. */
export interface Event {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly specVersion: string;
  readonly contentType: string;
  /** As the publisher sent it, byte for byte. */
  readonly data: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
  /** True when the bytes on the topic were no CloudEvent: they are handed over as they are (D13). */
  readonly raw: boolean;
}

/** What Layotto writes when the publisher gives nothing else. */
export const SOURCE = "runtime";
export const TYPE = "com.runtime.event.sent";
export const SPEC_VERSION = "1.0";
