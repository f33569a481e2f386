import { decodeTopicEventStatus, encodeTopicEvent, TopicEventStatus } from "layotto-proto/topic-event";
import { type Client, type ConnectionState, connect, parseAddress, type RpcError, Status, statusName } from "layotto-transport";
import type { AppChannel, AppEvent, AppSubscription, VerdictReceiver } from "./channel.ts";

const ON_EVENT = "/spec.proto.runtime.v1.AppCallback/OnTopicEvent";
const LIST = "/spec.proto.runtime.v1.AppCallback/ListTopicSubscriptions";
const EMPTY = new Uint8Array();
const AWAY = "the app cannot be reached";

/** Layotto's AppCallback over gRPC. `address` is as `parseAddress` reads it; throws a TypeError when it cannot. */
export class GrpcChannel implements AppChannel {
  readonly #client: Client;
  readonly #listeners = new Set<(reachable: boolean) => void>();
  #reachable = false;

  constructor(address: string) {
    const parsed = parseAddress(address);
    if (!parsed) throw new TypeError(`The app's address "${address}" is neither HOST:PORT nor unix:///PATH.`);
    this.#client = connect(parsed);
    this.#client.onState((state) => this.#changed(state));
  }

  /** Begins to look for the app, and does so until `close`. */
  open(): void {
    this.#client.wake();
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  get awayBecause(): string | undefined {
    return this.#reachable ? undefined : AWAY;
  }

  onReachable(fn: (reachable: boolean) => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  deliver(event: AppEvent, receiver: VerdictReceiver, timeoutMs: number): () => void {
    let live = true;
    const request = encodeTopicEvent({
      id: event.id,
      source: event.source,
      type: event.type,
      specVersion: event.specVersion,
      dataContentType: event.contentType,
      topic: event.topic,
      data: event.data,
      pubsubName: event.pubsub,
      metadata: event.metadata,
    });
    const call = this.#client.unary(
      ON_EVENT,
      request,
      {
        response: (bytes) => live && judge(bytes, receiver),
        failed: (error) => live && fail(error, receiver),
      },
      { deadline: Date.now() + timeoutMs },
    );
    return () => {
      live = false;
      call.cancel();
    };
  }

  subscriptions(signal: AbortSignal): Promise<readonly AppSubscription[] | undefined> {
    const answer = Promise.withResolvers<readonly AppSubscription[] | undefined>();
    const call = this.#client.unary(LIST, EMPTY, {
      response: (bytes) => {
        // Loaded when it is needed, and with it the library for what is no hot message.
        import("./listed.ts").then(({ listed }) => listed(bytes)).then(answer.resolve, answer.reject);
      },
      failed: (error) => (error.code === Status.UNIMPLEMENTED && error.from === "peer" ? answer.resolve(undefined) : answer.reject(error)),
    });
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    return answer.promise.finally(() => signal.removeEventListener("abort", cancel));
  }

  close(): void {
    this.#listeners.clear();
    this.#client.close();
  }

  #changed(state: ConnectionState): void {
    // An idle connection is made again at once: the app must be found when it comes back, not when the next event does.
    if (state === "idle") this.#client.wake();
    const reachable = state === "ready";
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    for (const listener of this.#listeners) listener(reachable);
  }
}

function judge(bytes: Uint8Array, receiver: VerdictReceiver): void {
  let status: number;
  try {
    status = decodeTopicEventStatus(bytes);
  } catch {
    receiver.verdict("failed", "the app's answer is no TopicEventResponse");
    return;
  }
  if (status === TopicEventStatus.SUCCESS) receiver.verdict("success");
  else if (status === TopicEventStatus.DROP) receiver.verdict("drop");
  else receiver.verdict("retry");
}

/** Ways in which a connection is lost in mid-call: broken, or its streams reset by a process that ends. */
const LOST: ReadonlySet<number> = new Set([Status.UNAVAILABLE, Status.CANCELLED]);

function fail(error: RpcError, receiver: VerdictReceiver): void {
  if (error.from === "peer")
    receiver.verdict(error.code === Status.UNIMPLEMENTED ? "unimplemented" : "failed", error.message, statusName(error.code));
  else if (error.from === "unsent") receiver.verdict("unreachable", error.message);
  else receiver.verdict(LOST.has(error.code) ? "lost" : "failed", error.message, statusName(error.code));
}
