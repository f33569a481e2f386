/** What the broker wants to be shown for a lease. */
export interface Handle {
  readonly text: string;
  /** The place of the proxy that gave it. Another one may be of another broker, and take it for a message of its own. */
  readonly through: string;
}

const [START, REVIVE_QUEUE, OFFSET] = [0, 3, 7];
const FIELDS = 9;
/** Stands in the place of the revive queue where the group is ordered. */
const ORDERED = "999";

/**
 * The handle of a lease that was renewed. Where the broker is in the proxy's process, the proxy answers with the place where the batch began that the
 * message came in, while the new lease is kept under the message's own: an acknowledgement with it is taken and lost (RocketMQ's issue 9583). The two
 * are parts of the handle's text. A handle of any other form is left as it is.
 */
export function mended(handle: string): string {
  const fields = handle.split(" ");
  const [start, offset] = [fields[START], fields[OFFSET]];
  const known = fields.length >= FIELDS && /^\d+$/.test(start ?? "") && /^\d+$/.test(offset ?? "");
  if (!known || fields[REVIVE_QUEUE] === ORDERED || start === offset) return handle;
  fields[START] = offset as string;
  return fields.join(" ");
}
