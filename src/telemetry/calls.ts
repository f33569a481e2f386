/** Calls of one method of an API. */
export interface CallCounts {
  requests: number;
  succeeded: number;
  failed: number;
}

/** By method path. */
export type Calls = Map<string, CallCounts>;
