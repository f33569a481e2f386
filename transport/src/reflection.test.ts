import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  EnumValueDescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { afterEach, expect, test } from "vitest";
import { Flag, Frame } from "./http2/protocol.ts";
import { data, frame, message, RawPeer } from "./http2/raw-peer.fixture.ts";
import { type Client, Status } from "./index.ts";
import { reflection } from "./reflection.ts";
import { Bed, Conversation, failure } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const V1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
/** Which of a question's fields is set. */
const FILE = 3;
const SYMBOL = 4;
const EXTENSION_NUMBERS = 6;
const SERVICES = 7;

/** Three files, each importing the one before. */
const FILES = [
  create(FileDescriptorProtoSchema, {
    name: "t/base.proto",
    package: "t",
    syntax: "proto3",
    messageType: [create(DescriptorProtoSchema, { name: "Base", nestedType: [create(DescriptorProtoSchema, { name: "Inner" })] })],
    enumType: [
      create(EnumDescriptorProtoSchema, { name: "Kind", value: [create(EnumValueDescriptorProtoSchema, { name: "NONE", number: 0 })] }),
    ],
  }),
  create(FileDescriptorProtoSchema, {
    name: "t/middle.proto",
    package: "t",
    syntax: "proto3",
    dependency: ["t/base.proto"],
    messageType: [
      create(DescriptorProtoSchema, {
        name: "Middle",
        field: [
          create(FieldDescriptorProtoSchema, {
            name: "base",
            number: 1,
            type: FieldDescriptorProto_Type.MESSAGE,
            typeName: ".t.Base",
            label: FieldDescriptorProto_Label.OPTIONAL,
          }),
        ],
      }),
    ],
  }),
  create(FileDescriptorProtoSchema, {
    name: "t/service.proto",
    package: "t",
    syntax: "proto3",
    dependency: ["t/middle.proto"],
    service: ["One", "Two"].map((name) =>
      create(ServiceDescriptorProtoSchema, {
        name,
        method: [create(MethodDescriptorProtoSchema, { name: "Do", inputType: ".t.Middle", outputType: ".t.Middle" })],
      }),
    ),
  }),
].map((file) => toBinary(FileDescriptorProtoSchema, file));

interface Answered {
  readonly request: Uint8Array | undefined;
  readonly files: string[];
  readonly services: string[];
  readonly error: number | undefined;
}

const question = (field: number, value: string) =>
  new BinaryWriter().tag(1, WireType.LengthDelimited).string("host").tag(field, WireType.LengthDelimited).string(value).finish();

/** A grpc.reflection.v1.ServerReflectionResponse. */
function read(message: Uint8Array): Answered {
  const reader = new BinaryReader(message);
  let request: Uint8Array | undefined;
  let error: number | undefined;
  const files: string[] = [];
  const services: string[] = [];
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    const body = reader.bytes();
    const inner = new BinaryReader(body);
    if (field === 2) request = body;
    while (field !== 2 && inner.pos < inner.len) {
      const [part, type] = inner.tag();
      if (field === 4) files.push(fromBinary(FileDescriptorProtoSchema, inner.bytes()).name);
      else if (field === 6) {
        const named = new BinaryReader(inner.bytes());
        named.tag();
        services.push(named.string());
      } else if (field === 7 && part === 1) error = inner.int32();
      else inner.skip(type);
    }
  }
  return { request, files, services, error };
}

async function started(): Promise<Client> {
  return bed.client((await bed.serve(reflection(FILES))).address);
}

async function ask(client: Client, field: number, value: string, path = V1): Promise<Answered> {
  const talk = new Conversation(client, path);
  talk.stream.send(question(field, value));
  talk.stream.end();
  await talk.end;
  expect(talk.messages.length).toBe(1);
  return read(talk.messages[0] as Uint8Array);
}

test.for([V1, V1ALPHA])("%s lists the services", async (path) => {
  const { services, request } = await ask(await started(), SERVICES, "*", path);
  expect(services).toEqual(["t.One", "t.Two"]);
  expect([...(request ?? [])]).toEqual([...question(SERVICES, "*")]);
});

test("a file comes with all that it imports, and is the first", async () => {
  const client = await started();
  expect((await ask(client, FILE, "t/service.proto")).files).toEqual(["t/service.proto", "t/middle.proto", "t/base.proto"]);
  expect((await ask(client, FILE, "t/base.proto")).files).toEqual(["t/base.proto"]);
});

test.for([
  ["t.One", "t/service.proto"],
  ["t.Two.Do", "t/service.proto"],
  ["t.Middle", "t/middle.proto"],
  ["t.Base.Inner", "t/base.proto"],
  ["t.Kind", "t/base.proto"],
])("the file of %s is found", async ([symbol, file]) => {
  expect((await ask(await started(), SYMBOL, symbol as string)).files[0]).toBe(file);
});

test("what there is not is NOT_FOUND, and the conversation goes on", async () => {
  const talk = new Conversation(await started(), V1);
  const questions: [number, string][] = [
    [SYMBOL, "t.Nobody"],
    [SYMBOL, "t.One.Dont"],
    [SYMBOL, ""],
    [FILE, "t/nowhere.proto"],
    [EXTENSION_NUMBERS, "t.Base"],
  ];
  for (const [field, value] of questions) {
    talk.stream.send(question(field, value));
    expect([value, read(await talk.next()).error]).toEqual([value, Status.NOT_FOUND]);
  }
  talk.stream.send(question(SYMBOL, "t.Base"));
  expect(read(await talk.next()).files).toEqual(["t/base.proto"]);
  talk.stream.end();
  await talk.end;
});

test("what is no question is INVALID_ARGUMENT", async () => {
  const talk = new Conversation(await started(), V1);
  talk.stream.send(Uint8Array.of(0x1a, 0x7f));
  expect((await failure(talk.end)).code).toBe(Status.INVALID_ARGUMENT);
});

test("a request that asks more than one thing is answered once, as the last of it wants; one that is too long is refused", async () => {
  const client = await started();
  const twice = new Conversation(client, V1);
  twice.stream.send(Buffer.concat([question(FILE, "t/base.proto"), question(FILE, "t/base.proto"), question(SERVICES, "*")]));
  const { files, services } = read(await twice.next());
  expect([files, services]).toEqual([[], ["t.One", "t.Two"]]);
  const long = new Conversation(client, V1);
  long.stream.send(Buffer.concat(Array.from({ length: 1_000 }, () => question(FILE, "t/base.proto"))));
  expect(await failure(long.end)).toMatchObject({ code: Status.INVALID_ARGUMENT, details: expect.stringContaining("8192") });
});

test("one who asks much and does not read is waited for, and then gets all answers in order", async () => {
  const COUNT = 3_000;
  const client = await started();
  const talk = new Conversation(client, V1);
  const names = Array.from({ length: COUNT }, (_, index) => `t.Unknown${index}.${"x".repeat(200)}`);
  talk.stream.pause();
  let held = 0;
  for (const name of names) if (!talk.stream.send(question(SYMBOL, name))) held += 1;
  talk.stream.end();
  // Another conversation on the same connection is not held up.
  expect((await ask(client, SERVICES, "")).services.length).toBe(2);
  talk.stream.resume();
  await talk.end;
  expect(held).toBeGreaterThan(0);
  expect(talk.messages.length).toBe(COUNT);
  for (const [index, message] of talk.messages.entries()) {
    expect(Buffer.from(read(message).request ?? "").equals(question(SYMBOL, names[index] as string))).toBe(true);
  }
});

test("a conversation that its client leaves open does not hold up a server that closes: it ends with OK", async () => {
  const server = await bed.serve(reflection(FILES));
  const client = bed.client(server.address);
  const talks = [V1, V1ALPHA].map((path) => new Conversation(client, path));
  for (const talk of talks) {
    talk.stream.send(question(SYMBOL, "t.One"));
    expect(read(await talk.next()).files[0]).toBe("t/service.proto");
  }
  // It has asked nothing yet.
  talks.push(new Conversation(client, V1));
  // One that has asked much and reads nothing gets what was answered, all the same.
  const slow = new Conversation(client, V1);
  slow.stream.pause();
  for (let index = 0; index < 1_000; index++) slow.stream.send(question(FILE, "t/service.proto"));
  await ask(client, SERVICES, "");
  const closing = server.close();
  for (const talk of talks) await talk.end;
  slow.stream.resume();
  await slow.end;
  expect(slow.messages.length).toBeGreaterThan(0);
  await closing;
  expect([...talks, slow].flatMap(({ wrongs }) => wrongs)).toEqual([]);
});

test("a conversation that begins before its client knows that the server closes is ended as well", async () => {
  const server = await bed.serve(reflection(FILES));
  const peer = await RawPeer.dial(server.address);
  bed.after(() => peer.destroy());
  peer.hello();
  await peer.roundTrip();
  const closing = server.close();
  await peer.came(Frame.GOAWAY);
  const { payload } = await peer.came(Frame.PING, ({ flags }) => flags === 0);
  peer.send(peer.open(1, V1), data(1, message(question(SERVICES, "*"))));
  await peer.came(Frame.DATA);
  expect(peer.streams.get(1)?.ended).toBe(false);
  peer.send(frame(Frame.PING, Flag.ACK, 0, payload));
  expect(await peer.status(1)).toEqual({ code: Status.OK, details: "" });
  await closing;
});

test("a file whose imports are missing, or that is none, is refused at the start", () => {
  expect(() => reflection(FILES.slice(1))).toThrow();
  expect(() => reflection([Uint8Array.of(0xff)])).toThrow();
});
