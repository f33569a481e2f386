import type { Api } from "./api.ts";

/** Who a member is, to its coordinator. */
export interface Membership {
  readonly group: string;
  readonly generation: number;
  readonly member: string;
}

export interface JoinQuery {
  readonly group: string;
  readonly member: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocol: string;
  readonly subscription: Uint8Array;
}

export interface JoinAnswer {
  readonly error: number;
  readonly generation: number;
  readonly leader: string;
  readonly member: string;
  /** For the leader alone. */
  readonly members: readonly { readonly member: string; readonly subscription: Buffer }[];
}

const PROTOCOL_TYPE = "consumer";

export const joinGroup: Api<JoinQuery, JoinAnswer> = {
  name: "JoinGroup",
  key: 11,
  version: 5,
  write(writer, { group, member, sessionTimeoutMs, rebalanceTimeoutMs, protocol, subscription }) {
    writer.string(group).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs).string(member).nullableString(undefined).string(PROTOCOL_TYPE);
    writer.array([protocol], (name) => writer.string(name).bytes(subscription));
  },
  read(reader) {
    reader.throttled();
    const error = reader.int16();
    const generation = reader.int32();
    reader.nullableString();
    const leader = reader.string();
    const member = reader.string();
    const members = reader.array(() => {
      const one = reader.string();
      reader.nullableString();
      return { member: one, subscription: reader.bytes() };
    });
    return { error, generation, leader, member, members };
  },
};

export const syncGroup: Api<
  Membership & { readonly assignments: ReadonlyMap<string, Uint8Array> },
  { readonly error: number; readonly assignment: Buffer }
> = {
  name: "SyncGroup",
  key: 14,
  version: 3,
  write(writer, { group, generation, member, assignments }) {
    writer.string(group).int32(generation).string(member).nullableString(undefined);
    writer.array([...assignments], ([one, assignment]) => writer.string(one).bytes(assignment));
  },
  read(reader) {
    reader.throttled();
    return { error: reader.int16(), assignment: reader.bytes() };
  },
};

export const heartbeat: Api<Membership, number> = {
  name: "Heartbeat",
  key: 12,
  version: 3,
  write: (writer, { group, generation, member }) => writer.string(group).int32(generation).string(member).nullableString(undefined),
  read(reader) {
    reader.throttled();
    return reader.int16();
  },
};

export const leaveGroup: Api<{ readonly group: string; readonly member: string }, number> = {
  name: "LeaveGroup",
  key: 13,
  version: 3,
  write: (writer, { group, member }) => writer.string(group).array([member], (one) => writer.string(one).nullableString(undefined)),
  read(reader) {
    reader.throttled();
    return reader.int16();
  },
};

export interface Commit {
  readonly index: number;
  readonly offset: number;
  /** The leader's epoch in which what is before it was read; -1: unknown. */
  readonly epoch: number;
  /** Up to the broker's `offset.metadata.max.bytes`. */
  readonly metadata: string;
}

export interface PartitionError {
  readonly index: number;
  readonly error: number;
}

/** Outside of a group's readers: generation -1 and no member, which the broker takes while the group has none. */
export const offsetCommit: Api<Membership & { readonly topic: string; readonly commits: readonly Commit[] }, readonly PartitionError[]> = {
  name: "OffsetCommit",
  key: 8,
  version: 7,
  write(writer, { group, generation, member, topic, commits }) {
    writer.string(group).int32(generation).string(member).nullableString(undefined);
    writer.array([topic], (name) =>
      writer
        .string(name)
        .array(commits, ({ index, offset, epoch, metadata }) => writer.int32(index).int64(offset).int32(epoch).string(metadata)),
    );
  },
  read(reader) {
    reader.throttled();
    const topics = reader.array(() => {
      reader.string();
      return reader.array(() => ({ index: reader.int32(), error: reader.int16() }));
    });
    return topics.flat();
  },
};

export interface Committed extends PartitionError {
  readonly topic: string;
  /** -1: nothing was ever committed. */
  readonly offset: number;
  readonly epoch: number;
  readonly metadata: string;
}

/** `partitions` undefined: of all topics of the group. */
export const offsetFetch: Api<
  { readonly group: string; readonly topic: string; readonly partitions: readonly number[] | undefined },
  { readonly error: number; readonly committed: readonly Committed[] }
> = {
  name: "OffsetFetch",
  key: 9,
  version: 5,
  write(writer, { group, topic, partitions }) {
    writer.string(group);
    if (partitions === undefined) writer.int32(-1);
    else writer.array([topic], (name) => writer.string(name).array(partitions, (index) => writer.int32(index)));
  },
  read(reader) {
    reader.throttled();
    const topics = reader.array(() => {
      const topic = reader.string();
      return reader.array(() => {
        const index = reader.int32();
        const offset = reader.int64();
        const epoch = reader.int32();
        return { topic, index, offset, epoch, metadata: reader.nullableString() ?? "", error: reader.int16() };
      });
    });
    return { error: reader.int16(), committed: topics.flat() };
  },
};

export const offsetDelete: Api<
  { readonly group: string; readonly topic: string; readonly partitions: readonly number[] },
  { readonly error: number; readonly partitions: readonly PartitionError[] }
> = {
  name: "OffsetDelete",
  key: 47,
  version: 0,
  write: (writer, { group, topic, partitions }) =>
    writer.string(group).array([topic], (name) => writer.string(name).array(partitions, (index) => writer.int32(index))),
  read(reader) {
    const error = reader.int16();
    reader.throttled();
    const topics = reader.array(() => {
      reader.string();
      return reader.array(() => ({ index: reader.int32(), error: reader.int16() }));
    });
    return { error, partitions: topics.flat() };
  },
};

export const listGroups: Api<undefined, { readonly error: number; readonly groups: readonly string[] }> = {
  name: "ListGroups",
  key: 16,
  version: 2,
  write: () => undefined,
  read(reader) {
    reader.throttled();
    const error = reader.int16();
    return { error, groups: reader.array(() => [reader.string(), reader.string()]).map(([group]) => group ?? "") };
  },
};

export interface DescribedGroup {
  readonly error: number;
  readonly state: string;
  readonly protocol: string;
  /** Each member's subscription, as it said it when it joined. */
  readonly subscriptions: readonly Buffer[];
}

export const describeGroup: Api<string, DescribedGroup> = {
  name: "DescribeGroups",
  key: 15,
  version: 4,
  write: (writer, group) => writer.array([group], (one) => writer.string(one)).flag(false),
  read(reader) {
    reader.throttled();
    const [one] = reader.array((): DescribedGroup => {
      const error = reader.int16();
      reader.string();
      const state = reader.string();
      reader.string();
      const protocol = reader.string();
      const subscriptions = reader.array(() => {
        reader.string();
        reader.nullableString();
        reader.string();
        reader.string();
        const subscription = reader.bytes();
        reader.bytes();
        return subscription;
      });
      reader.int32();
      return { error, state, protocol, subscriptions };
    });
    return one ?? { error: 0, state: "Dead", protocol: "", subscriptions: [] };
  },
};

export const deleteGroups: Api<string, number> = {
  name: "DeleteGroups",
  key: 42,
  version: 1,
  write: (writer, group) => writer.array([group], (one) => writer.string(one)),
  read(reader) {
    reader.throttled();
    const [error] = reader.array(() => {
      reader.string();
      return reader.int16();
    });
    return error ?? 0;
  },
};
