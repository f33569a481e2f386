import {
  create,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ClientStream, Metadata, RpcError, Status, type StreamReceiver } from "layotto-transport";
import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { rocketmqOptions } from "./config.ts";
import {
  Code,
  DigestType,
  MessageType,
  type Settings,
  type SettingsSchema,
  type MessageSchema as WireMessageSchema,
} from "./gen/apache/rocketmq/v2/definition_pb.ts";
import {
  MessagingService,
  type ReceiveMessageRequest,
  ReceiveMessageRequestSchema,
  ReceiveMessageResponseSchema,
  TelemetryCommandSchema,
} from "./gen/apache/rocketmq/v2/service_pb.ts";
import { Proxies, type ProxyUser } from "./proxies.ts";

const OK = { code: Code.OK, message: "" };

/** A message of the queue 1, as a broker gives it. */
export const given = (
  position: string,
  {
    key,
    bytes = 100,
    queue = 1,
    checksum = "",
    handle = `handle of ${position}${checksum}`,
  }: { readonly key?: string; readonly bytes?: number; readonly queue?: number; readonly checksum?: string; readonly handle?: string } = {},
): MessageInitShape<typeof WireMessageSchema> => ({
  systemProperties: {
    messageId: position,
    receiptHandle: handle,
    bodyDigest: { type: DigestType.CRC32, checksum },
    queueId: queue,
    ...(key !== undefined && { messageGroup: key, messageType: MessageType.FIFO }),
  },
  body: new Uint8Array(bytes),
});

/** A request for messages, which waits until it is told what becomes of it. */
export class PlayedPoll {
  readonly request: ReceiveMessageRequest;
  readonly #receiver: StreamReceiver;
  open = true;

  constructor(request: ReceiveMessageRequest, receiver: StreamReceiver) {
    this.request = request;
    this.#receiver = receiver;
  }

  /** These, and perhaps more. */
  brings(...messages: readonly MessageInitShape<typeof WireMessageSchema>[]): void {
    for (const message of messages) this.#tell({ content: { case: "message", value: message } });
  }

  /** These, and the end. */
  gives(...messages: readonly MessageInitShape<typeof WireMessageSchema>[]): void {
    this.brings(...messages);
    this.#end();
  }

  answers(code: Code): void {
    this.#tell({ content: { case: "status", value: { code, message: "as played" } } });
    this.#end();
  }

  fails(code: Status): void {
    if (!this.open) return;
    this.open = false;
    this.#receiver.failed(new RpcError(code, "as played", "connection"));
  }

  #tell(response: MessageInitShape<typeof ReceiveMessageResponseSchema>): void {
    this.#receiver.message(toBinary(ReceiveMessageResponseSchema, create(ReceiveMessageResponseSchema, response)));
  }

  #end(): void {
    this.open = false;
    this.#receiver.ended(Metadata.EMPTY);
  }
}

type Answer = Readonly<Record<string, unknown>>;

/** A proxy that is played: it knows every client, says OK to all it is told, unless the test wants otherwise, and gives what the test gives. */
export class PlayedProxy extends Proxies {
  /** Every request for messages, the newest last. */
  readonly polls: PlayedPoll[] = [];
  /** Every other request: the method's name and the messages that it is about. */
  readonly asked: string[] = [];
  /** How clients introduced themselves, the newest last. */
  readonly introduced: Settings[] = [];
  /** What it wants of a client. Undefined: what the client says of itself, as proxies do that know no better. */
  settings: MessageInitShape<typeof SettingsSchema> | undefined;
  /** Why it wants no client. */
  refusal: string | undefined;
  /** The same, said as proxies say it of rights and of limits: a status, and the end of the stream. */
  refusedBy: Code | undefined;
  /** Its answers by the method's name; of the others it says OK. A promise that never resolves is a proxy that never answers. */
  readonly answers: Record<string, (request: Message) => Answer | Promise<Answer>> = {};
  /** The one of several that is in use. */
  at = "proxy:1";
  readonly #told = new Set<ProxyUser>();
  #up = true;

  constructor(options: object, clock: Clock) {
    super(rocketmqOptions.parse({ endpoints: "proxy:1", ...options }), "played", clock);
  }

  override get place(): string {
    return this.at;
  }

  override get up(): boolean {
    return this.#up;
  }

  /** The newest request for messages, if it waits. */
  get poll(): PlayedPoll | undefined {
    return this.polls.findLast(({ open }) => open);
  }

  pollOf(broker: string): PlayedPoll | undefined {
    return this.polls.findLast(({ open, request }) => open && request.messageQueue?.broker?.name === broker);
  }

  override enter(user: ProxyUser): void {
    this.#told.add(user);
  }

  override leave(user: ProxyUser): void {
    this.#told.delete(user);
  }

  /** The connection is lost. */
  lose(error: PubSubError): void {
    this.#up = false;
    for (const poll of this.polls) poll.fails(Status.UNAVAILABLE);
    for (const user of [...this.#told]) user.down(error);
  }

  /** It is made anew. */
  connect(): void {
    this.#up = true;
    for (const user of [...this.#told]) user.up();
  }

  override async send(method: DescMethodUnary, _clientId: string, bytes: Uint8Array): Promise<Uint8Array> {
    const request = fromBinary(method.input, bytes) as Message & {
      readonly messageId?: string;
      readonly entries?: readonly { readonly messageId: string; readonly receiptHandle: string }[];
    };
    const entries = request.entries ?? [];
    this.asked.push(
      [method.name, ...entries.map(({ messageId }) => messageId), ...(request.messageId ? [request.messageId] : [])].join(" "),
    );
    const answer = await this.answers[method.name]?.(request);
    const stands = entries.length > 0 ? { entries: entries.map((entry) => ({ ...entry, status: OK })) } : {};
    return toBinary(method.output, create(method.output, { status: OK, ...stands, ...answer } as MessageInitShape<typeof method.output>));
  }

  override stream(method: DescMethodStreaming, _clientId: string, receiver: StreamReceiver): ClientStream {
    return method.name === MessagingService.method.telemetry.name ? this.#telemetry(receiver) : this.#receive(receiver);
  }

  #telemetry(receiver: StreamReceiver): ClientStream {
    let open = true;
    const send = (bytes: Uint8Array): boolean => {
      const { command: own } = fromBinary(TelemetryCommandSchema, bytes);
      if (own.case === "settings") this.introduced.push(own.value);
      const value = this.settings ?? (own.value as Settings);
      const command = create(TelemetryCommandSchema, { status: OK, command: { case: "settings", value } });
      queueMicrotask(() => {
        if (open && this.refusal !== undefined) receiver.failed(new RpcError(Status.INVALID_ARGUMENT, this.refusal, "peer"));
        else if (open && this.refusedBy !== undefined) this.#refuse(receiver, this.refusedBy);
        else if (open) receiver.message(toBinary(TelemetryCommandSchema, command));
      });
      return true;
    };
    const cancel = (): void => {
      open = false;
    };
    return { ...unheard, send, cancel };
  }

  #refuse(receiver: StreamReceiver, code: Code): void {
    const command = create(TelemetryCommandSchema, { status: { code, message: "as played" } });
    receiver.message(toBinary(TelemetryCommandSchema, command));
    receiver.ended(Metadata.EMPTY);
  }

  #receive(receiver: StreamReceiver): ClientStream {
    let poll: PlayedPoll | undefined;
    const send = (bytes: Uint8Array): boolean => {
      poll = new PlayedPoll(fromBinary(ReceiveMessageRequestSchema, bytes), receiver);
      this.polls.push(poll);
      return true;
    };
    return { ...unheard, send, cancel: () => poll?.fails(Status.CANCELLED) };
  }
}

const unheard = { end: () => undefined, pause: () => undefined, resume: () => undefined };
