import type { Api } from "./api.ts";
import type { Reader } from "./reader.ts";
import type { Aborted } from "./record-batch.ts";

/** What a broker answers for one partition of a Produce. */
interface Produced {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly firstOffset: number;
  readonly message: string | undefined;
}

type Produce = Omit<Api<never, readonly Produced[]>, "write">;

/** acks, the broker's own patience, and what `writeBatch` wrote for each partition: the caller writes it, for it is the hot path. */
export const produce: Produce = {
  name: "Produce",
  key: 0,
  version: 8,
  read: (reader) =>
    producedIn(reader, () => {
      const [first] = reader.array(() => {
        reader.int32();
        return reader.nullableString();
      });
      return reader.nullableString() ?? first;
    }),
};

/** For what speaks only an older version: it does not say what is wrong with a record. */
export const produceBefore8: Produce = { name: "Produce", key: 0, version: 7, read: (reader) => producedIn(reader, () => undefined) };

function producedIn(reader: Reader, message: () => string | undefined): readonly Produced[] {
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => {
      const partition = reader.int32();
      const error = reader.int16();
      const firstOffset = reader.int64();
      reader.int64();
      reader.int64();
      return { topic, partition, error, firstOffset, message: message() };
    });
  });
  reader.throttled();
  return topics.flat();
}

interface FetchPartition {
  readonly index: number;
  readonly offset: number;
}

export interface FetchQuery {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: readonly FetchPartition[];
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
}

export interface Fetched {
  readonly index: number;
  readonly error: number;
  readonly lastStable: number;
  readonly logStart: number;
  readonly aborted: readonly Aborted[];
  /** Record batches, the last one perhaps cut off. A view of the reply. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  readonly error: number;
  readonly partitions: readonly Fetched[];
}

const READ_COMMITTED = 1;
const WITHOUT_SESSION = -1;
const UNKNOWN_EPOCH = -1;

/** By the topic's id, so that one that was made anew is never taken for the old one. Kafka 3.1. */
export const fetch: Api<FetchQuery, FetchAnswer> = {
  name: "Fetch",
  key: 1,
  version: 13,
  flexible: true,
  write(writer, { topicId, partitions, maxWaitMs, minBytes, maxBytes }) {
    writer.int32(-1).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(READ_COMMITTED).int32(0).int32(WITHOUT_SESSION);
    writer.uvarint(2).raw(Buffer.from(topicId, "hex"));
    writer.compactArray(partitions, ({ index, offset }) =>
      writer.int32(index).int32(UNKNOWN_EPOCH).int64(offset).int32(UNKNOWN_EPOCH).int64(-1).int32(maxBytes).untagged(),
    );
    writer.untagged().uvarint(1).compactString("").untagged();
  },
  read(reader) {
    reader.throttled();
    const error = reader.int16();
    reader.int32();
    const topics = reader.compactArray(() => {
      reader.uuid();
      const partitions = reader.compactArray((): Fetched => {
        const index = reader.int32();
        const failed = reader.int16();
        reader.int64();
        const lastStable = reader.int64();
        const logStart = reader.int64();
        const aborted = reader.compactArray(() => {
          const one = { producer: reader.int64(), firstOffset: reader.int64() };
          reader.tagged();
          return one;
        });
        reader.int32();
        const records = reader.compactBytes();
        reader.tagged();
        return { index, error: failed, lastStable, logStart, aborted, records };
      });
      reader.tagged();
      return partitions;
    });
    return { error, partitions: topics.flat() };
  },
};

/** For what speaks only an older version: by the topic's name. */
export const fetchByName: Api<FetchQuery, FetchAnswer> = {
  name: "Fetch",
  key: 1,
  version: 11,
  write(writer, { topic, partitions, maxWaitMs, minBytes, maxBytes }) {
    writer.int32(-1).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(READ_COMMITTED).int32(0).int32(WITHOUT_SESSION);
    writer.array([topic], (name) =>
      writer
        .string(name)
        .array(partitions, ({ index, offset }) => writer.int32(index).int32(UNKNOWN_EPOCH).int64(offset).int64(-1).int32(maxBytes)),
    );
    writer.int32(0).string("");
  },
  read(reader) {
    reader.throttled();
    const error = reader.int16();
    reader.int32();
    const topics = reader.array(() => {
      reader.string();
      return reader.array((): Fetched => {
        const index = reader.int32();
        const failed = reader.int16();
        reader.int64();
        const lastStable = reader.int64();
        const logStart = reader.int64();
        const aborted = reader.array(() => ({ producer: reader.int64(), firstOffset: reader.int64() }));
        reader.int32();
        return { index, error: failed, lastStable, logStart, aborted, records: reader.bytes() };
      });
    });
    return { error, partitions: topics.flat() };
  },
};

/** Instead of a time: the first offset, or the one behind the last. */
export const EARLIEST = -2;
export const LATEST = -1;

export interface ListedOffset {
  readonly index: number;
  readonly error: number;
  /** -1: there is nothing from that time on. */
  readonly offset: number;
}

/** The first offsets from a time on, all of one leader. */
export const listOffsets: Api<
  { readonly topic: string; readonly partitions: readonly number[]; readonly time: number },
  readonly ListedOffset[]
> = {
  name: "ListOffsets",
  key: 2,
  version: 5,
  write(writer, { topic, partitions, time }) {
    writer.int32(-1).int8(READ_COMMITTED);
    writer.array([topic], (name) => writer.string(name).array(partitions, (index) => writer.int32(index).int32(UNKNOWN_EPOCH).int64(time)));
  },
  read(reader) {
    reader.throttled();
    const topics = reader.array(() => {
      reader.string();
      return reader.array(() => {
        const index = reader.int32();
        const error = reader.int16();
        reader.int64();
        const offset = reader.int64();
        reader.int32();
        return { index, error, offset };
      });
    });
    return topics.flat();
  },
};

/** For what speaks only an older version, which is written in the same way. */
export const listOffsetsBefore5: typeof listOffsets = { ...listOffsets, version: 4 };

/** Where what was written under a leader's epoch ends: what a reader has seen beyond it was lost in an election. -1: it is not known. */
export const offsetForLeaderEpoch: Api<
  { readonly topic: string; readonly partition: number; readonly epoch: number },
  { readonly error: number; readonly endOffset: number }
> = {
  name: "OffsetForLeaderEpoch",
  key: 23,
  version: 3,
  write(writer, { topic, partition, epoch }) {
    writer
      .int32(-1)
      .array([topic], (name) => writer.string(name).array([partition], (index) => writer.int32(index).int32(UNKNOWN_EPOCH).int32(epoch)));
  },
  read(reader) {
    reader.throttled();
    const topics = reader.array(() => {
      reader.string();
      return reader.array(() => {
        const error = reader.int16();
        reader.int32();
        reader.int32();
        return { error, endOffset: reader.int64() };
      });
    });
    const [one] = topics.flat();
    return one ?? { error: 0, endOffset: -1 };
  },
};
