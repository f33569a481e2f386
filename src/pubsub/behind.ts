import { PubSubError } from "./error.ts";

/**
 * The result of a message that was not sent, since one before it in its key failed (see `Outgoing.done`). Nothing is wrong with it: whatever
 * became of the other, it may go in a call of its own.
 */
export function behind(failed: PubSubError): PubSubError {
  return new PubSubError("unavailable", `not sent, since a message before it was not stored: ${failed.message}`);
}
