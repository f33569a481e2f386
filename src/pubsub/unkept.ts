import type { Capabilities } from "./capabilities.ts";
import type { Order } from "./subscription.ts";

/** Why a broker cannot keep `order`, in words; undefined: it can (D6). */
export function unkept(order: Order, ordering: Capabilities["ordering"]): string | undefined {
  if (order === "none" || ordering === "topic" || ordering === order) return undefined;
  return ordering === "none" ? "this broker, as it is configured, keeps none" : "this broker keeps it for each key alone";
}
