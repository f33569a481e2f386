/** What the app does with messages. `every`: with each number that it divides, the first time that it sees it. */
export type AppConduct =
  | { readonly kind: "succeeds"; readonly afterMs?: number }
  /** Never answers the first call with this number. */
  | { readonly kind: "hangs"; readonly on: number }
  /** Answers with an error of gRPC. */
  | { readonly kind: "errors"; readonly every: number }
  /** Answers with bytes that are no answer. */
  | { readonly kind: "garbage"; readonly every: number }
  /** Answers RETRY each time. `whenTold`: not before `App.tell`. */
  | { readonly kind: "refuses"; readonly every: number; readonly whenTold?: true }
  /** Answers RETRY to each message whose key begins so. */
  | { readonly kind: "refuses-keys"; readonly prefix: string }
  /** Publishes another message to the same topic before it answers, for numbers below FOLLOW_UP; RETRY if that is refused. */
  | { readonly kind: "publishes" }
  /** Ends its process whenever it gets this number. */
  | { readonly kind: "exits"; readonly on: number };

/** A message that the handler of number n publishes has this number and n. */
export const FOLLOW_UP = 1_000_000_000;

/** What an app process is told to be. */
export interface AppOrders {
  readonly pubsub: string;
  readonly topics: readonly string[];
  /** Where their dead letters come. */
  readonly deadLetterTopic?: string;
  /** One a sidecar: where that calls back, and where it is. */
  readonly replicas: readonly { readonly address: string; readonly sidecar: string }[];
  readonly conduct: AppConduct;
}
