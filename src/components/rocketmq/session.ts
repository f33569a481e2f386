import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ClientStream, RpcError } from "layotto-transport";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import { callError, failureOf, isStranger } from "./errors.ts";
import { Code, type ResourceSchema, type Settings, type SettingsSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, type TelemetryCommand, TelemetryCommandSchema } from "./gen/apache/rocketmq/v2/service_pb.ts";
import type { Proxies, ProxyUser } from "./proxies.ts";

/** The proxy forgets a client that it does not hear of for two minutes. */
const BEAT_MS = 10_000;
const AGAIN_MS = 1_000;
const DOING = "Telemetry";

export interface Introduced {
  readonly clientId: string;
  /** The consumer's group; a producer has none. */
  readonly group?: MessageInitShape<typeof ResourceSchema>;
  /** How the client introduces itself. */
  settings(): MessageInitShape<typeof SettingsSchema>;
  /** The proxy knows us, and answers with what it wants. */
  ready(settings: Settings): void;
  /** It says why it does not want to know us. It is asked again. */
  unwelcome(error: PubSubError): void;
  /** It does not know us for now. */
  away(): void;
}

/** What makes a client of us for a proxy: a stream on which it introduces itself and hears commands, and a heartbeat. */
export class Session implements ProxyUser {
  readonly #proxies: Proxies;
  readonly #clock: Clock;
  readonly #client: Introduced;
  #stream: ClientStream | undefined;
  #cancelBeat: () => void = () => undefined;
  #cancelAgain: () => void = () => undefined;
  /** Why the proxy does not want us: some reasons it tells on the stream, which then ends as if all were well. */
  #refusal: PubSubError | undefined;
  #over = false;
  #ready = false;

  constructor(proxies: Proxies, clock: Clock, client: Introduced) {
    this.#proxies = proxies;
    this.#clock = clock;
    this.#client = client;
  }

  /** The proxy knows us. */
  get ready(): boolean {
    return this.#ready;
  }

  open(): void {
    this.#proxies.enter(this);
    if (this.#proxies.up) this.up();
  }

  /** Introduces itself once more, because something has changed. */
  update(): void {
    this.#stream?.send(this.#introduction());
  }

  /** Says goodbye, if it can. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    this.#proxies.leave(this);
    const { clientId, group } = this.#client;
    if (this.#proxies.up) {
      // A proxy that cannot hear it forgets us by itself.
      await this.#proxies.call(MessagingService.method.notifyClientTermination, clientId, group ? { group } : {}).catch(asPubSubError);
    }
    this.#proxies.forget(clientId);
  }

  up(): void {
    this.#drop();
    this.#introduce();
  }

  down(): void {
    this.#drop();
  }

  #introduce(): void {
    if (this.#over || !this.#proxies.up) return;
    this.#refusal = undefined;
    const over = (error?: RpcError): void => {
      if (this.#stream !== stream) return;
      const refusal = this.#refusal ?? (error?.from === "peer" ? callError(DOING, error) : undefined);
      if (refusal) this.#client.unwelcome(refusal);
      this.#drop();
      this.#cancelAgain = this.#clock.after(AGAIN_MS, () => this.#introduce());
    };
    const stream = this.#proxies.stream(MessagingService.method.telemetry, this.#client.clientId, {
      message: (bytes) => {
        if (this.#stream === stream) this.#command(fromBinary(TelemetryCommandSchema, bytes));
      },
      ended: () => over(),
      failed: over,
    });
    this.#stream = stream;
    stream.send(this.#introduction());
  }

  #introduction(): Uint8Array {
    const command = create(TelemetryCommandSchema, { command: { case: "settings", value: this.#client.settings() } });
    return toBinary(TelemetryCommandSchema, command);
  }

  #command({ command, status }: TelemetryCommand): void {
    const failure = failureOf(DOING, status);
    if (failure) {
      this.#refusal = failure;
      return;
    }
    switch (command.case) {
      case "settings": {
        this.#refusal = undefined;
        if (!this.#ready) this.#beatLater();
        this.#ready = true;
        this.#client.ready(command.value);
        return;
      }
      case "reconnectEndpointsCommand":
        this.#proxies.redial();
        return;
      case "printThreadStackTraceCommand":
        this.#answer({ case: "threadStackTrace", value: { nonce: command.value.nonce } });
        return;
      case "verifyMessageCommand":
        this.#answer({ case: "verifyMessageResult", value: { nonce: command.value.nonce } });
    }
  }

  /** To what an operator may ask and we do not do. */
  #answer(command: NonNullable<MessageInitShape<typeof TelemetryCommandSchema>["command"]>): void {
    const answer = create(TelemetryCommandSchema, { status: { code: Code.NOT_IMPLEMENTED, message: "not implemented" }, command });
    this.#stream?.send(toBinary(TelemetryCommandSchema, answer));
  }

  #beatLater(): void {
    this.#cancelBeat = this.#clock.after(BEAT_MS, () => {
      this.#beatLater();
      void this.#beat();
    });
  }

  async #beat(): Promise<void> {
    const { clientId, group } = this.#client;
    try {
      const { status } = await this.#proxies.call(MessagingService.method.heartbeat, clientId, group ? { group } : {});
      if (status && isStranger(status.code)) this.up();
    } catch (error) {
      // The connection is made anew when nothing answers any more; then we introduce ourselves again.
      asPubSubError(error);
    }
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#cancelBeat();
    this.#cancelAgain();
    stream?.cancel();
    if (!this.#ready) return;
    this.#ready = false;
    this.#client.away();
  }
}
