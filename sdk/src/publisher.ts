import { encodePublishEvent } from "layotto-proto/publish-event";
import { connect, parseAddress } from "layotto-transport";

export interface PublisherOptions {
  /** The sidecar: `127.0.0.1:34904` or `unix:///run/layotto.sock`. Default: `runtime_GRPC_HOST` and `runtime_GRPC_PORT`, else 127.0.0.1:34904. */
  readonly address?: string;
}

export interface PublishOptions {
  /** Default: `text/plain` for a string, `application/octet-stream` for bytes (a typed array, a Buffer, an ArrayBuffer), `application/json` for anything else. */
  readonly contentType?: string;
  /** Travels with the event to its subscribers; `ttlInSeconds` and `partitionKey` have a meaning for the sidecar. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long to wait for a sidecar that starts or restarts, and for its answer. Milliseconds; default: 30 s. */
  readonly timeoutMs?: number;
}

export interface Publisher {
  /**
   * Resolves once the broker has the event. Rejects with an `RpcError` of layotto-transport: its `code` says what to do, its `details` why;
   * with a TypeError when the data has no JSON form.
   */
  publishEvent(pubsub: string, topic: string, data: unknown, options?: PublishOptions): Promise<void>;
  close(): void;
}

const PUBLISH = "/spec.proto.runtime.v1.Runtime/PublishEvent";

/** Throws a TypeError when the address cannot be read. Connects on the first publish. */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  const text = options.address ?? defaultAddress(process.env);
  const address = parseAddress(text);
  if (!address) throw new TypeError(`The sidecar's address "${text}" is neither HOST:PORT nor unix:///PATH.`);
  const client = connect(address);
  return {
    async publishEvent(pubsub, topic, data, { contentType, metadata, timeoutMs = 30_000 } = {}) {
      const [bytes, type] = encode(data);
      const request = encodePublishEvent({
        pubsubName: pubsub,
        topic,
        data: bytes,
        dataContentType: contentType ?? type,
        metadata: metadata ?? {},
      });
      return new Promise((resolve, reject) => {
        client.unary(
          PUBLISH,
          request,
          { response: () => resolve(), failed: reject },
          { deadline: Date.now() + timeoutMs, waitForReady: true },
        );
      });
    },
    close: () => client.close(),
  };
}

function encode(data: unknown): [bytes: Uint8Array<ArrayBuffer>, contentType: string] {
  if (typeof data === "string") return [new TextEncoder().encode(data), "text/plain"];
  if (ArrayBuffer.isView(data)) return bytesOf(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return bytesOf(data, 0, data.byteLength);
  // JSON.stringify makes {} of these.
  const json = data instanceof Map || data instanceof Set ? undefined : JSON.stringify(data);
  if (json === undefined) throw new TypeError(`A ${nameOf(data)} has no JSON form: publish a string, bytes or an object.`);
  return [new TextEncoder().encode(json), "application/json"];
}

/** A copy: they may be changed before they are sent. */
const bytesOf = (buffer: ArrayBufferLike, at: number, length: number): [Uint8Array<ArrayBuffer>, string] => [
  new Uint8Array(new Uint8Array(buffer, at, length)),
  "application/octet-stream",
];

const nameOf = (data: unknown): string => (typeof data === "object" && data !== null ? (data.constructor?.name ?? "object") : typeof data);

/** Layotto's SDKs read these variables. */
function defaultAddress(env: Readonly<Record<string, string | undefined>>): string {
  const host = env.runtime_GRPC_HOST ?? "127.0.0.1";
  return host.startsWith("unix:") ? host : `${host}:${env.runtime_GRPC_PORT ?? "34904"}`;
}
