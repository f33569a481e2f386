import type { Start } from "./subscription.ts";

/** What redrive, wildcards, replay and clean-up need. An absent method is a gap that the component declares. */
export interface Admin {
  /** Topics whose name matches `pattern` (`*` stands for any run of characters), in no order. */
  topics?(pattern: string): Promise<readonly string[]>;
  groups?(topic: string): Promise<readonly GroupInfo[]>;
  /** Removes a group and what it had pending. Fails with `not_found` when there is none. */
  deleteGroup?(topic: string, group: string): Promise<void>;
  /** Moves a group: it next reads from `to`. What is lent at the moment stays lent. */
  seek?(topic: string, group: string, to: Start): Promise<void>;
  /** Reads without consuming, oldest first: up to `limit` messages after position `after` (from the oldest when undefined). */
  browse?(topic: string, after: string | undefined, limit: number): Promise<readonly Stored[]>;
  /** Deletes single messages. Unknown positions are ignored. */
  remove?(topic: string, positions: readonly string[]): Promise<void>;
}

export interface GroupInfo {
  readonly group: string;
  /** Readers that are attached now. */
  readonly consumers: number;
  /** Lent and not yet settled. */
  readonly pending: number;
}

/** A message as it lies on the broker. */
export interface Stored {
  readonly topic: string;
  readonly position: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly publishedAt?: number;
}
