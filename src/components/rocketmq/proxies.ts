import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  type ClientStream,
  connect,
  Metadata,
  type RpcError,
  Status,
  type StreamReceiver,
} from "layotto-transport";
import { abortError } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { Changes } from "../changes.ts";
import type { HostPort, RocketmqOptions } from "./config.ts";
import { callError } from "./errors.ts";
import { type Credentials, signed } from "./signature.ts";

/** Four megabytes, with what stands beside a message. */
const MAX_MESSAGE_BYTES = 8 * 2 ** 20;
/** Before the next proxy is tried, when one cannot be reached. */
const NEXT_MS = 100;
/** As the proxy knows a client that it need not know better. */
const VERSION = "5.1.0";

/** Who wants to know when calls go through, and when they do not. */
export interface ProxyUser {
  up(): void;
  down(error: PubSubError): void;
}

/** The way to RocketMQ's proxies: one connection to one of them, made again when it is lost or silent, to the next one if there are several. */
export class Proxies {
  /** Told when the connection stands, when an attempt has failed, and at the end. */
  readonly changes = new Changes();
  readonly #options: RocketmqOptions;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #credentials: Credentials | undefined;
  readonly #users = new Set<ProxyUser>();
  readonly #metadata = new Map<string, Metadata>();
  #index = 0;
  /** The proxy in use is known to lead to the brokers of all others. */
  #leadsToAll = false;
  #client: Client | undefined;
  #unlisten: () => void = () => undefined;
  #cancelRedial: () => void = () => undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #told = false;
  #closed = false;

  constructor(options: RocketmqOptions, name: string, clock: Clock) {
    this.#options = options;
    this.#name = name;
    this.#clock = clock;
    const { accessKey, secretKey, securityToken } = options;
    if (accessKey && secretKey) this.#credentials = { accessKey, secretKey, ...(securityToken && { securityToken }) };
  }

  get address(): HostPort {
    return this.#options.proxies[this.#index] as HostPort;
  }

  /** The same, as leases keep it. */
  get place(): string {
    const { host, port } = this.address;
    return `${host}:${port}`;
  }

  /** Whether the proxy in use leads to the brokers that the one at `place` led to. */
  leadsTo(place: string): boolean {
    return this.#leadsToAll || place === this.place;
  }

  /** The proxy at `place` has shown what it leads to. */
  shown(place: string, leadsToAll: boolean): void {
    if (place === this.place) this.#leadsToAll = leadsToAll;
  }

  /** Calls go through. */
  get up(): boolean {
    return this.#client?.state === "ready";
  }

  /** The last attempt to connect has failed. */
  get failed(): boolean {
    return this.#failed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  open(): void {
    if (!this.#closed && !this.#client) this.#dial();
  }

  close(): void {
    this.#closed = true;
    this.#cancelRedial();
    this.#hangUp();
    this.#users.clear();
    this.changes.tell();
  }

  enter(user: ProxyUser): void {
    this.#users.add(user);
  }

  leave(user: ProxyUser): void {
    this.#users.delete(user);
  }

  unavailable(): PubSubError {
    const why = this.#closed ? "the component is closed" : `there is no connection to the proxy ${this.place}`;
    return new PubSubError("unavailable", `${this.#name}: ${why}`, { permanent: this.#closed });
  }

  /** Calls a method once. Rejects with a PubSubError, at once when there is no connection. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    clientId: string,
    request: MessageInitShape<Input>,
    timeoutMs = this.#options.requestTimeout,
    signal?: AbortSignal,
  ): Promise<MessageShape<Output>> {
    const bytes = toBinary(method.input, create(method.input, request));
    return this.send(method, clientId, bytes, timeoutMs, signal).then((answer) => fromBinary(method.output, answer));
  }

  /** As `call`, on bytes. */
  send(method: DescMethodUnary, clientId: string, request: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    const client = this.#client;
    if (client?.state !== "ready") return Promise.reject(this.unavailable());
    if (signal?.aborted) return Promise.reject(abortError(method.name, signal, "rejected"));
    return new Promise((resolve, reject) => {
      const since = this.#clock.elapsed();
      const call = client.unary(
        pathOf(method),
        request,
        {
          response: (message) => {
            this.#heardAt = this.#clock.elapsed();
            signal?.removeEventListener("abort", aborted);
            resolve(message);
          },
          failed: (error) => {
            signal?.removeEventListener("abort", aborted);
            reject(signal?.aborted ? abortError(method.name, signal, "unknown") : callError(method.name, error));
            this.#tell(error, since, client);
          },
        },
        this.#callOptions(clientId, timeoutMs),
      );
      const aborted = (): void => call.cancel();
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  /** Opens a stream. `timeoutMs` undefined: for as long as the connection lives. Throws a PubSubError when there is no connection. */
  stream(method: DescMethodStreaming, clientId: string, receiver: StreamReceiver, timeoutMs?: number): ClientStream {
    const client = this.#client;
    if (client?.state !== "ready") throw this.unavailable();
    const since = this.#clock.elapsed();
    return client.stream(
      pathOf(method),
      {
        message: (message) => {
          this.#heardAt = this.#clock.elapsed();
          receiver.message(message);
        },
        ended: (trailers) => {
          this.#heardAt = this.#clock.elapsed();
          receiver.ended(trailers);
        },
        failed: (error) => {
          receiver.failed(error);
          this.#tell(error, since, client);
        },
      },
      this.#callOptions(clientId, timeoutMs),
    );
  }

  /** The proxy asks for it. */
  redial(): void {
    if (this.#closed) return;
    this.#cancelRedial();
    this.#hangUp();
    this.#index = (this.#index + 1) % this.#options.proxies.length;
    this.#leadsToAll = false;
    this.#dial();
  }

  #callOptions(clientId: string, timeoutMs: number | undefined): CallOptions {
    const metadata = this.#metadataOf(clientId);
    return timeoutMs === undefined ? { metadata } : { metadata, deadline: Date.now() + timeoutMs };
  }

  #metadataOf(clientId: string): Metadata {
    const known = this.#metadata.get(clientId) ?? this.#plain(clientId);
    return this.#credentials ? new Metadata([...known, ...signed(this.#credentials, Date.now())]) : known;
  }

  #plain(clientId: string): Metadata {
    const space = this.#options.nameSpace;
    const metadata = new Metadata([
      ["x-mq-protocol", "v2"],
      ["x-mq-client-id", clientId],
      ["x-mq-language", "NODE_JS"],
      ["x-mq-client-version", VERSION],
      ...(space === "" ? [] : [["x-mq-namespace", space] as const]),
    ]);
    this.#metadata.set(clientId, metadata);
    return metadata;
  }

  /** A client that is no more. */
  forget(clientId: string): void {
    this.#metadata.delete(clientId);
  }

  /** A proxy that owes an answer and says nothing at all may be behind a connection that only seems to stand. */
  #tell(error: RpcError, since: number, client: Client): void {
    if (error.from === "peer") this.#heardAt = this.#clock.elapsed();
    if (error.code === Status.DEADLINE_EXCEEDED && error.from !== "peer" && this.#heardAt < since && client === this.#client) this.redial();
  }

  #dial(): void {
    const { enableTLS, insecureSkipTLSVerify, caCert, clientCert, clientKey, requestTimeout } = this.#options;
    const files = { ...(caCert && { ca: caCert }), ...(clientCert && { cert: clientCert }), ...(clientKey && { key: clientKey }) };
    const tls = { tls: { ...files, verify: !insecureSkipTLSVerify } };
    const client = connect(this.address, { maxMessageBytes: MAX_MESSAGE_BYTES, connectTimeoutMs: requestTimeout, ...(enableTLS && tls) });
    this.#client = client;
    this.#unlisten = client.onState((state) => {
      if (client !== this.#client) return;
      if (state === "ready") {
        this.#cancelRedial();
        this.#failed = false;
        this.#told = true;
        this.#heardAt = this.#clock.elapsed();
        for (const user of [...this.#users]) user.up();
      } else if (state === "idle") {
        this.#down();
        client.wake();
      } else if (state === "unreachable") {
        this.#failed = true;
        this.#down();
        if (this.#options.proxies.length > 1) this.#cancelRedial = this.#clock.after(NEXT_MS, () => this.redial());
      }
      this.changes.tell();
    });
    client.wake();
  }

  #hangUp(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#unlisten();
    client?.close();
    if (!this.#closed) this.#down();
  }

  /** Calls went through, and do not any more. */
  #down(): void {
    if (!this.#told) return;
    this.#told = false;
    const error = this.unavailable();
    for (const user of [...this.#users]) user.down(error);
  }
}

const pathOf = ({ parent, name }: Pick<DescMethodUnary | DescMethodStreaming, "parent" | "name">): string => `/${parent.typeName}/${name}`;
