import type { Api } from "./api.ts";
import { type ApiRange, findCoordinator, metadata } from "./cluster-apis.ts";
import { heartbeat, joinGroup, leaveGroup, offsetCommit, offsetFetch, syncGroup } from "./group-apis.ts";
import { fetchByName, listOffsetsBefore5, produceBefore8 } from "./log-apis.ts";

type Version = Pick<Api<never, unknown>, "name" | "key" | "version">;

/** Without these nothing is published or read: each in the oldest version that we speak. */
const NEEDED: readonly Version[] = [
  metadata,
  produceBefore8,
  fetchByName,
  listOffsetsBefore5,
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  offsetCommit,
  offsetFetch,
];

/** What a broker lacks of it, in words. Undefined: it has all. A request of a version that it does not speak it would answer by hanging up. */
export function lacking(ranges: readonly ApiRange[]): string | undefined {
  for (const { name, key, version } of NEEDED) {
    const range = ranges.find((one) => one.key === key);
    if (!range) return `it does not speak ${name}`;
    if (version < range.oldest || version > range.newest)
      return `it speaks ${name} in versions ${range.oldest} to ${range.newest}, and not ${version}`;
  }
  return undefined;
}
