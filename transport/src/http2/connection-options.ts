import type { FieldSection } from "./field-section.ts";
import type { Limits } from "./limits.ts";

export interface ConnectionOptions<Section extends FieldSection> {
  readonly limits: Limits;
  /** Makes of a decoded header list what the calls read. Lists of the same bytes may share one. */
  readonly interpret: (fields: readonly string[], tooLarge: boolean) => Section;
  /** After this much silence the peer is pinged. Milliseconds; 0: never. */
  readonly keepaliveMs: number;
  /** How long it may then stay silent. Milliseconds. */
  readonly keepaliveTimeoutMs: number;
}
