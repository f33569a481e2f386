/** What the broker wants to be shown for a lease. */
export interface Handle {
  readonly text: string;
  /** The place of the proxy that gave it. Another one may be of another broker, and take it for a message of its own. */
  readonly through: string;
  /** When it came, by the monotonic clock. */
  readonly at: number;
}

/**
 * The broker takes a lease that is changed in the very millisecond in which it was given for the one that it replaces, and ends both: the message is lost
 * if the broker crashes before it has given it again, or is seconds late with that. So much later they are two.
 */
export const APART_MS = 2;

const [START, REVIVE_QUEUE, BROKER, OFFSET] = [0, 3, 5, 7];
const FIELDS = 9;
/** Stands in the place of the revive queue where the group is ordered. */
const ORDERED = "999";

/** The broker that gave it: a proxy that does not know the one that was asked asks any other. Undefined: the handle is of another form. */
export function brokerOf(handle: string): string | undefined {
  const fields = handle.split(" ");
  return fields.length >= FIELDS - 1 ? fields[BROKER] : undefined;
}

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
