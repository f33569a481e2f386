import type { Api } from "./api.ts";
import { WireError } from "./reader.ts";

export interface ApiRange {
  readonly key: number;
  readonly oldest: number;
  readonly newest: number;
}

export const apiVersions: Api<undefined, readonly ApiRange[]> = {
  name: "ApiVersions",
  key: 18,
  version: 0,
  write: () => undefined,
  read(reader) {
    const error = reader.int16();
    if (error !== 0) throw new WireError(`the broker does not tell its versions (error ${error})`);
    return reader.array(() => ({ key: reader.int16(), oldest: reader.int16(), newest: reader.int16() }));
  },
};

interface BrokerAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface TopicMetadata {
  readonly error: number;
  readonly name: string;
  readonly id: string;
  readonly internal: boolean;
  readonly partitions: readonly { readonly index: number; readonly leader: number }[];
}

export interface ClusterMetadata {
  /** Empty: the brokers do not say. */
  readonly id: string;
  readonly brokers: readonly BrokerAddress[];
  readonly controller: number;
  readonly topics: readonly TopicMetadata[];
}

/** Kafka 2.8 or newer: it tells a topic's id, by which one that was made anew is known. `undefined`: all topics. */
export const metadata: Api<readonly string[] | undefined, ClusterMetadata> = {
  name: "Metadata",
  key: 3,
  version: 11,
  flexible: true,
  write(writer, topics) {
    if (topics === undefined) writer.uvarint(0);
    else writer.compactArray(topics, (name) => writer.raw(Buffer.alloc(16)).compactString(name).untagged());
    // Topics are created by us, with the partitions that were asked for, and not by asking for them.
    writer.flag(false).flag(false).untagged();
  },
  read(reader) {
    reader.throttled();
    const brokers = reader.compactArray(() => {
      const broker = { id: reader.int32(), host: reader.compactString(), port: reader.int32() };
      reader.compactString();
      reader.tagged();
      return broker;
    });
    const id = reader.compactString();
    const controller = reader.int32();
    const topics = reader.compactArray(() => {
      const topic = { error: reader.int16(), name: reader.compactString(), id: reader.uuid(), internal: reader.flag() };
      const partitions = reader.compactArray(() => {
        reader.int16();
        const partition = { index: reader.int32(), leader: reader.int32() };
        reader.int32();
        for (let lists = 0; lists < 3; lists++) reader.compactArray(() => reader.int32());
        reader.tagged();
        return partition;
      });
      reader.int32();
      reader.tagged();
      return { ...topic, partitions };
    });
    return { id, brokers, controller, topics };
  },
};

export interface Coordinator extends BrokerAddress {
  readonly error: number;
}

export const findCoordinator: Api<string, Coordinator> = {
  name: "FindCoordinator",
  key: 10,
  version: 2,
  write: (writer, group) => writer.string(group).int8(0),
  read(reader) {
    reader.throttled();
    const error = reader.int16();
    reader.nullableString();
    return { error, id: reader.int32(), host: reader.string(), port: reader.int32() };
  },
};

export const saslHandshake: Api<string, { readonly error: number; readonly mechanisms: readonly string[] }> = {
  name: "SaslHandshake",
  key: 17,
  version: 1,
  write: (writer, mechanism) => writer.string(mechanism),
  read: (reader) => ({ error: reader.int16(), mechanisms: reader.array(() => reader.string()) }),
};

export interface SaslAnswer {
  readonly error: number;
  readonly message: string | undefined;
  readonly bytes: Buffer;
  /** How long the sign-in holds, in milliseconds; 0: for ever. */
  readonly lifetimeMs: number;
}

export const saslAuthenticate: Api<Uint8Array, SaslAnswer> = {
  name: "SaslAuthenticate",
  key: 36,
  version: 1,
  write: (writer, bytes) => writer.bytes(bytes),
  read: (reader) => ({ error: reader.int16(), message: reader.nullableString(), bytes: reader.bytes(), lifetimeMs: reader.int64() }),
};

export interface NewTopic {
  readonly name: string;
  /** -1: as the broker has it. */
  readonly partitions: number;
  readonly replication: number;
  readonly timeoutMs: number;
}

export const createTopics: Api<NewTopic, { readonly error: number; readonly message: string | undefined }> = {
  name: "CreateTopics",
  key: 19,
  version: 4,
  write(writer, { name, partitions, replication, timeoutMs }) {
    writer.array([name], (one) => writer.string(one).int32(partitions).int16(replication).int32(0).int32(0));
    writer.int32(timeoutMs).flag(false);
  },
  read(reader) {
    reader.throttled();
    const [one] = reader.array(() => {
      reader.string();
      return { error: reader.int16(), message: reader.nullableString() };
    });
    return one ?? { error: 0, message: undefined };
  },
};

export interface Described {
  readonly error: number;
  readonly name: string;
  /** What holds, wherever it is set. */
  readonly values: ReadonlyMap<string, string>;
}

/** A broker's or topics' settings. */
export const describeConfigs: Api<
  { readonly kind: "topic" | "broker"; readonly names: readonly string[]; readonly keys: readonly string[] },
  readonly Described[]
> = {
  name: "DescribeConfigs",
  key: 32,
  version: 2,
  write(writer, { kind, names, keys }) {
    writer.array(names, (one) =>
      writer
        .int8(kind === "topic" ? 2 : 4)
        .string(one)
        .array(keys, (key) => writer.string(key)),
    );
    writer.flag(false);
  },
  read(reader) {
    reader.throttled();
    return reader.array(() => {
      const error = reader.int16();
      reader.nullableString();
      reader.int8();
      const name = reader.string();
      const values = reader.array((): [string, string] => {
        const key = reader.string();
        const value = reader.nullableString() ?? "";
        reader.flag();
        reader.int8();
        reader.flag();
        reader.array(() => [reader.string(), reader.nullableString(), reader.int8()]);
        return [key, value];
      });
      return { error, name, values: new Map(values) };
    });
  },
};
