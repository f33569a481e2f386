/** Most entries of one batch call, either way. */
export const MOST_ENTRIES = 10;
/** Of one message, and of one batch, attributes included: what SNS takes. */
export const MOST_BYTES = 262_144;
