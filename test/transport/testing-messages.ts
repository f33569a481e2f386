import { create, type DescMessage, fromBinary, type Message, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  type MethodDescriptorProto,
  MethodDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

// gRPC's own `grpc.testing`, as far as the tests need it. It is described here rather than in .proto files, so that one description serves
// for encoding, for server reflection, and for programs that want a descriptor set.

const PACKAGE = "grpc.testing";
const MESSAGES = "grpc/testing/messages.proto";

function message(name: string, ...field: FieldDescriptorProto[]): DescriptorProto {
  return create(DescriptorProtoSchema, { name, field });
}

/** A text as the type names a message of this package. */
function field(name: string, number: number, type: Type | string, label = Label.OPTIONAL): FieldDescriptorProto {
  const named = typeof type === "string" ? { type: Type.MESSAGE, typeName: `.${PACKAGE}.${type}` } : { type };
  return create(FieldDescriptorProtoSchema, { name, number, label, ...named });
}

function payloadType(name: string, number: number): FieldDescriptorProto {
  const typeName = `.${PACKAGE}.PayloadType`;
  return create(FieldDescriptorProtoSchema, { name, number, label: Label.OPTIONAL, type: Type.ENUM, typeName });
}

function method(name: string, input: string, output: string, streams: "" | "input" | "output" | "both" = ""): MethodDescriptorProto {
  return create(MethodDescriptorProtoSchema, {
    name,
    inputType: `.${PACKAGE}.${input}`,
    outputType: `.${PACKAGE}.${output}`,
    clientStreaming: streams === "input" || streams === "both",
    serverStreaming: streams === "output" || streams === "both",
  });
}

const messagesFile = create(FileDescriptorProtoSchema, {
  name: MESSAGES,
  package: PACKAGE,
  syntax: "proto3",
  enumType: [{ name: "PayloadType", value: [{ name: "COMPRESSABLE", number: 0 }] }],
  messageType: [
    message("Empty"),
    message("Payload", payloadType("type", 1), field("body", 2, Type.BYTES)),
    message("EchoStatus", field("code", 1, Type.INT32), field("message", 2, Type.STRING)),
    message(
      "SimpleRequest",
      payloadType("response_type", 1),
      field("response_size", 2, Type.INT32),
      field("payload", 3, "Payload"),
      field("response_status", 7, "EchoStatus"),
    ),
    message("SimpleResponse", field("payload", 1, "Payload")),
    message("StreamingInputCallRequest", field("payload", 1, "Payload")),
    message("StreamingInputCallResponse", field("aggregated_payload_size", 1, Type.INT32)),
    message("ResponseParameters", field("size", 1, Type.INT32)),
    message(
      "StreamingOutputCallRequest",
      payloadType("response_type", 1),
      field("response_parameters", 2, "ResponseParameters", Label.REPEATED),
      field("payload", 3, "Payload"),
      field("response_status", 7, "EchoStatus"),
    ),
    message("StreamingOutputCallResponse", field("payload", 1, "Payload")),
  ],
});

const serviceFile = create(FileDescriptorProtoSchema, {
  name: "grpc/testing/test.proto",
  package: PACKAGE,
  syntax: "proto3",
  dependency: [MESSAGES],
  service: [
    {
      name: "TestService",
      method: [
        method("EmptyCall", "Empty", "Empty"),
        method("UnaryCall", "SimpleRequest", "SimpleResponse"),
        method("StreamingOutputCall", "StreamingOutputCallRequest", "StreamingOutputCallResponse", "output"),
        method("StreamingInputCall", "StreamingInputCallRequest", "StreamingInputCallResponse", "input"),
        method("FullDuplexCall", "StreamingOutputCallRequest", "StreamingOutputCallResponse", "both"),
        method("UnimplementedCall", "Empty", "Empty"),
      ],
    },
  ],
});

/** Each a serialized `FileDescriptorProto`, those that others import first. */
export const fileDescriptors: readonly Uint8Array[] = [messagesFile, serviceFile].map((file) => toBinary(FileDescriptorProtoSchema, file));

/** The same as one serialized `FileDescriptorSet`. */
export const fileDescriptorSet: Uint8Array = toBinary(
  FileDescriptorSetSchema,
  create(FileDescriptorSetSchema, { file: [messagesFile, serviceFile] }),
);

const described = fileDesc(Buffer.from(fileDescriptors[0] ?? []).toString("base64"));

function schema<Name extends string, Fields>(name: Name): GenMessage<Message<`${typeof PACKAGE}.${Name}`> & Fields> {
  const found = described.messages.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`${name} is not described`);
  return found as DescMessage as GenMessage<Message<`${typeof PACKAGE}.${Name}`> & Fields>;
}

type Payload = Message<"grpc.testing.Payload"> & { type: number; body: Uint8Array };
type EchoStatus = Message<"grpc.testing.EchoStatus"> & { code: number; message: string };
type ResponseParameters = Message<"grpc.testing.ResponseParameters"> & { size: number };

interface Asked {
  responseType: number;
  payload?: Payload;
  responseStatus?: EchoStatus;
}

export const Empty = schema<"Empty", unknown>("Empty");
export const SimpleRequest = schema<"SimpleRequest", Asked & { responseSize: number }>("SimpleRequest");
export const SimpleResponse = schema<"SimpleResponse", { payload?: Payload }>("SimpleResponse");
export const StreamingInputCallRequest = schema<"StreamingInputCallRequest", { payload?: Payload }>("StreamingInputCallRequest");
export const StreamingInputCallResponse = schema<"StreamingInputCallResponse", { aggregatedPayloadSize: number }>(
  "StreamingInputCallResponse",
);
export const StreamingOutputCallRequest = schema<"StreamingOutputCallRequest", Asked & { responseParameters: ResponseParameters[] }>(
  "StreamingOutputCallRequest",
);
export const StreamingOutputCallResponse = schema<"StreamingOutputCallResponse", { payload?: Payload }>("StreamingOutputCallResponse");

export function encode<Desc extends DescMessage>(desc: Desc, init?: MessageInitShape<Desc>): Uint8Array {
  return toBinary(desc, create(desc, init));
}

export function decode<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  return fromBinary(desc, bytes);
}

/** A payload of zeros. */
export function zeros(size: number): { body: Uint8Array } {
  return { body: new Uint8Array(size) };
}
