import { create, type DescMessage, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Handler, listen, type Server, type ServerStream, streaming } from "layotto-transport";
import { Code, MessageType, Permission, type SettingsSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, TelemetryCommandSchema } from "./gen/apache/rocketmq/v2/service_pb.ts";

const OK = { code: Code.OK, message: "" };
const { queryRoute, sendMessage, heartbeat, notifyClientTermination, telemetry, receiveMessage, changeInvisibleDuration } =
  MessagingService.method;

/** A proxy on a port of its own that is played: it has these topics, stores what it is sent nowhere, and gives nothing. */
export class PlayedServer {
  /** The brokers that have queues of a topic. */
  readonly topics = new Map<string, readonly string[]>();
  /** What they take. */
  types: readonly MessageType[] = [MessageType.NORMAL, MessageType.FIFO];
  /** What it wants of a client. Undefined: what the client says of itself, as proxies do that know no better. */
  settings: MessageInitShape<typeof SettingsSchema> | undefined;
  readonly asked: string[] = [];
  /** As every proxy does it remembers which topics were not there when it was asked. */
  readonly #missed = new Set<string>();
  readonly #clients = new Set<ServerStream>();
  readonly #port: number;
  #server: Server | undefined;

  /** `port` 0: any that is free. */
  constructor(port = 0) {
    this.#port = port;
  }

  async open(): Promise<this> {
    const handlers = Object.fromEntries([
      this.#unary(queryRoute, ({ topic }) => this.#route(topic?.name ?? "")),
      this.#unary(sendMessage, ({ messages }) => ({ status: OK, entries: messages.map(() => ({ status: OK })) })),
      this.#unary(changeInvisibleDuration, () => ({ status: OK })),
      this.#unary(heartbeat, () => ({ status: OK })),
      this.#unary(notifyClientTermination, () => ({ status: OK })),
      [pathOf(telemetry), this.#telemetry()],
      [pathOf(receiveMessage), streaming(() => ({ message: () => this.asked.push(receiveMessage.name), end: () => undefined }))],
    ]);
    this.#server = await listen({ host: "127.0.0.1", port: this.#port }, { handlers });
    return this;
  }

  get place(): string {
    const { address } = this.#server ?? {};
    return address && "port" in address ? `127.0.0.1:${address.port}` : "";
  }

  async close(): Promise<void> {
    await this.#server?.close(AbortSignal.abort());
  }

  #route(topic: string) {
    const brokers = this.#missed.has(topic) ? undefined : this.topics.get(topic);
    if (!brokers) this.#missed.add(topic);
    if (!brokers) return { status: { code: Code.TOPIC_NOT_FOUND, message: `no topic ${topic}` } };
    const queue = { permission: Permission.READ_WRITE, acceptMessageTypes: [...this.types] };
    return { status: OK, messageQueues: brokers.map((name) => ({ ...queue, broker: { name, id: 0 } })) };
  }

  #unary<Input extends DescMessage, Output extends DescMessage>(
    method: { readonly input: Input; readonly output: Output; readonly name: string },
    answer: (request: ReturnType<typeof fromBinary<Input>>) => MessageInitShape<Output>,
  ): readonly [string, Handler] {
    return [
      pathOf(method),
      (request, call) => {
        this.asked.push(method.name);
        call.respond(toBinary(method.output, create(method.output, answer(fromBinary(method.input, request))) as Message as never));
      },
    ];
  }

  /** Says to all clients what it wants of them, once more. */
  tell(): void {
    for (const call of this.#clients) this.#say(call, new Uint8Array(0));
  }

  #say(call: ServerStream, introduction: Uint8Array): void {
    if (!this.settings) {
      call.send(introduction);
      return;
    }
    const command = { status: OK, command: { case: "settings", value: this.settings } } as const;
    call.send(toBinary(TelemetryCommandSchema, create(TelemetryCommandSchema, command)));
  }

  #telemetry(): Handler {
    return streaming((call) => {
      this.#clients.add(call);
      call.onCancel(() => this.#clients.delete(call));
      return { message: (bytes) => this.#say(call, bytes), end: () => call.end() };
    });
  }
}

const pathOf = ({ name }: { readonly name: string }): string => `/${MessagingService.typeName}/${name}`;
