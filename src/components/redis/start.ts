import { PubSubError } from "../../pubsub/error.ts";
import type { Start } from "../../pubsub/subscription.ts";
import { idBefore, isId, ZERO } from "./id.ts";

/** The id after which a new group reads. */
export function startId(start: Start): string {
  if (start === "earliest") return ZERO;
  if (start === "latest") return "$";
  if ("time" in start) return idBefore(`${Math.max(0, Math.floor(start.time))}-0`);
  if (isId(start.position)) return idBefore(start.position);
  throw new PubSubError("invalid_argument", `position ${JSON.stringify(start.position)} is not a stream id such as 1526919030474-0`, {
    permanent: true,
  });
}
