import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Reply } from "./connection.ts";
import { xaddArguments } from "./entry.ts";
import { isApart, isFenced } from "./errors.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { keysOf, type Member } from "./member.ts";
import type { Node } from "./node.ts";
import { waitForReplicas } from "./publish.ts";
import { FENCE, Script } from "./script.ts";
import { renew } from "./scripts.ts";

/**
 * Keys: the stream, that of the copy, the lead if there is one. group, consumer, id, field, value… → the copy's id; nil: the message is
 * not with the consumer any more, and nothing was done. Stores the copy and acknowledges the message: running it twice stores one copy.
 */
const move = new Script(`${FENCE}
local refusal = fenced(KEYS[3])
if refusal then return refusal end
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return false end
local id = redis.call('XADD', KEYS[2], '*', unpack(ARGV, 4))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
return id`);

/** Moves messages to the topics of their copies, over the connection that publishes: `waitReplicas` holds up no read. */
export class Moving {
  readonly #member: Member;
  readonly #leases: Leases;
  readonly #moved: (lease: Lease) => void;

  /** `moved`: the copy stands, and the message is acknowledged. */
  constructor(member: Member, leases: Leases, moved: (lease: Lease) => void) {
    this.#member = member;
    this.#leases = leases;
    this.#moved = moved;
  }

  /** The lease is `moving`. It is `lent` again if this fails: what failed with an unknown outcome can be tried again without harm. */
  move(lease: Lease, copy: Outgoing): void {
    const { node, topic, group, consumer, lead } = this.#member;
    if (!node) this.#failed(lease, copy, new PubSubError("unavailable", "the server of the topic is not known"));
    else if (node.sharded) this.#inTwoSteps(lease, copy, node);
    else {
      const [target, , ...fields] = xaddArguments(copy);
      const keys = [topic, String(target), ...(lead === undefined ? [] : [lead])];
      move.send(node.write, keys, [group, consumer, lease.position, ...fields], (error, reply) => {
        if (error && isApart(error)) {
          node.isSharded();
          this.#inTwoSteps(lease, copy, node);
        } else if (error) this.#failed(lease, copy, error);
        else if (reply === null) this.#gone(lease, copy, consumer);
        else this.#stored(lease, copy, node, String(reply));
      });
    }
  }

  /** Where the two topics may be on two servers. A crash between the steps leaves a copy, and a message that is moved again. */
  #inTwoSteps(lease: Lease, copy: Outgoing, node: Node): void {
    const { group, consumer } = this.#member;
    renew.send(node.write, keysOf(this.#member), [group, consumer, lease.position], (error, gone) => {
      if (error) this.#failed(lease, copy, error);
      else if ((gone as readonly Reply[]).length > 0) this.#gone(lease, copy, consumer);
      else {
        node.write.send("xadd", xaddArguments(copy), (refused, position) => {
          if (refused) this.#failed(lease, copy, refused);
          else this.#stored(lease, copy, node, String(position), () => lease.ack());
        });
      }
    });
  }

  /** `ack`: what is left to do once the copy stands. */
  #stored(lease: Lease, copy: Outgoing, node: Node, position: string, ack?: () => void): void {
    waitForReplicas(node, this.#member.options.waitReplicas, (few) => {
      if (few) this.#failed(lease, copy, few);
      else if (ack === undefined) this.#stands(lease, copy, position);
      else {
        if (lease.state === "moving") lease.state = "lent";
        ack();
        copy.done(undefined, position);
      }
    });
  }

  #stands(lease: Lease, copy: Outgoing, position: string): void {
    if (lease.state === "moving") this.#moved(lease);
    copy.done(undefined, position);
  }

  #gone(lease: Lease, copy: Outgoing, consumer: string): void {
    const { position, topic } = lease;
    if (lease.state === "moving") {
      lease.state = "lent";
      this.#leases.gone([position]);
    }
    copy.done(new PubSubError("failed_precondition", `the message ${position} of ${topic} is not with ${consumer} any more`));
  }

  #failed(lease: Lease, copy: Outgoing, error: PubSubError): void {
    if (isFenced(error)) this.#member.failed(error);
    if (lease.state === "moving") lease.state = "lent";
    copy.done(error);
  }
}
