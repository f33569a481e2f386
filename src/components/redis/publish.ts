import { abortError } from "../../pubsub/abort.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import { boundTogether, storeTogether } from "./bound.ts";
import type { Reply } from "./connection.ts";
import { xaddArguments } from "./entry.ts";
import { livesElsewhere } from "./errors.ts";
import type { Node } from "./node.ts";
import type { Servers } from "./servers.ts";

const DOING = "XADD";
/** How long a WAIT may take. */
export const WAIT_MS = 2_000;

/** One call of `publish`: an XADD a message in one pipeline a server, and with `waitReplicas` one WAIT behind it. */
export function publish(servers: Servers, batch: readonly Outgoing[], signal: AbortSignal, waitReplicas: number): void {
  if (signal.aborted) {
    for (const message of batch) message.done(abortError(DOING, signal, "rejected"));
    return;
  }
  const perNode = new Map<Node, Outgoing[]>();
  for (const message of batch) {
    const node = servers.of(message.topic);
    const own = node && perNode.get(node);
    if (own) own.push(message);
    else if (node?.write.up) perNode.set(node, [message]);
    else message.done(node?.write.unavailable() ?? servers.unavailable());
  }
  for (const [node, messages] of perNode) send(servers, node, messages, signal, waitReplicas);
}

function send(servers: Servers, node: Node, messages: readonly Outgoing[], signal: AbortSignal, replicas: number): void {
  let unanswered = messages.length;
  const answered = messages.map(() => false);
  /** On the master, and waiting for the replicas: the index of each, and its position. */
  const stored = new Map<number, string>();
  const settle = (index: number, error?: PubSubError, position?: string) => {
    if (answered[index]) return;
    answered[index] = true;
    unanswered -= 1;
    if (unanswered === 0) signal.removeEventListener("abort", aborted);
    messages[index]?.done(error, position);
  };
  // The connection stays: others use it, replies come in their order, and a server that is silent is left by itself.
  const aborted = () => {
    for (const index of messages.keys()) settle(index, abortError(DOING, signal, "unknown"));
  };
  signal.addEventListener("abort", aborted, { once: true });
  const replied = (index: number, error: PubSubError | undefined, reply: Reply) => {
    if (error) {
      if (livesElsewhere(error)) servers.moved();
      settle(index, error);
    } else if (replicas === 0) settle(index, undefined, (reply as Buffer).toString("latin1"));
    else stored.set(index, (reply as Buffer).toString("latin1"));
  };
  const bound = boundTogether(messages);
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index] as Outgoing;
    if (!bound.has(message.topic)) node.write.send("xadd", xaddArguments(message), (error, reply) => replied(index, error, reply));
  }
  for (const indexes of bound.values()) {
    storeTogether(
      node.write,
      indexes.map((index) => messages[index] as Outgoing),
      (at, error, reply) => replied(indexes[at] as number, error, reply),
    );
  }
  if (replicas === 0) return;
  waitForReplicas(node, replicas, (error) => {
    for (const [index, position] of stored) settle(index, error, error ? undefined : position);
  });
}

/** Calls `done` when so many replicas have what was written last, with an error when they do not have it in time. */
export function waitForReplicas(node: Node, replicas: number, done: (error?: PubSubError) => void): void {
  if (replicas === 0) {
    done();
    return;
  }
  node.write.send("wait", [String(replicas), String(WAIT_MS)], (error, count) => {
    if (!error && Number(count) >= replicas) done();
    else done(new PubSubError(error?.code ?? "unavailable", error?.message ?? few(count, replicas), { outcome: "unknown" }));
  });
}

const few = (count: Reply, replicas: number): string => `WAIT: ${String(count)} of ${replicas} replicas have it`;
