import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import { xaddArguments } from "./entry.ts";
import { isFenced } from "./errors.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Member } from "./member.ts";
import { waitForReplicas } from "./publish.ts";
import { FENCE, Script } from "./script.ts";

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
    const { node, topic, group, consumer, lead, options } = this.#member;
    if (!node) {
      this.#failed(lease, copy, new PubSubError("unavailable", "the server of the topic is not known"));
      return;
    }
    const [target, , ...fields] = xaddArguments(copy);
    const keys = [topic, String(target), ...(lead === undefined ? [] : [lead])];
    move.send(node.write, keys, [group, consumer, lease.position, ...fields], (error, reply) => {
      if (error) this.#failed(lease, copy, error);
      else if (reply === null) this.#gone(lease, copy, consumer);
      else {
        waitForReplicas(node, options.waitReplicas, (few) => {
          if (few) this.#failed(lease, copy, few);
          else this.#stands(lease, copy, String(reply));
        });
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
