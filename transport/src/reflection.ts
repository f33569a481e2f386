import { create, createFileRegistry, type DescFile, type DescService, fromBinary, type Registry, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type Handlers, streaming } from "./server.ts";
import { Status } from "./status.ts";

type Files = ReturnType<typeof createFileRegistry>;

/** Fields of grpc.reflection.v1.ServerReflectionRequest. */
const ASKED = { FILE: 3, SYMBOL: 4, EXTENSION: 5, EXTENSION_NUMBERS: 6, SERVICES: 7 } as const;
const QUESTIONS: ReadonlySet<number> = new Set(Object.values(ASKED));
/** A file's or symbol's name, with all that a request may have. */
const MOST_BYTES = 8 * 1_024;
/** Fields of grpc.reflection.v1.ServerReflectionResponse. */
const ANSWER = { REQUEST: 2, FILES: 4, EXTENSION_NUMBERS: 5, SERVICES: 6, ERROR: 7 } as const;

/**
 * gRPC's server reflection, `grpc.reflection.v1` and `v1alpha`: with it grpcurl and others call a server without its .proto files. `files` are
 * serialized FileDescriptorProtos, each after those that it imports. Throws when one cannot be read. A server that closes waits for no conversation:
 * each ends with OK.
 */
export function reflection(files: readonly Uint8Array[]): Handlers {
  const set = create(FileDescriptorSetSchema, { file: files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)) });
  const registry = createFileRegistry(set);
  const handler = streaming((call) => ({
    message(request) {
      let answer: Uint8Array;
      try {
        answer = answered(request, registry);
      } catch (error) {
        call.fail(Status.INVALID_ARGUMENT, `the request is not a ServerReflectionRequest: ${String(error)}`);
        return;
      }
      // Asked faster than the answers are read: the client's next questions wait.
      if (!call.send(answer)) call.pause();
    },
    drained: () => call.resume(),
    end: () => call.end(),
    // Some clients leave it open between their questions.
    closing: () => call.end(),
  }));
  return Object.fromEntries(
    ["v1", "v1alpha"].map((version) => [`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, handler]),
  );
}

/** Throws when the request cannot be read. */
function answered(request: Uint8Array, registry: Files): Uint8Array {
  if (request.length > MOST_BYTES) throw new Error(`it has ${request.length} bytes, and may have ${MOST_BYTES}`);
  const writer = new BinaryWriter().tag(ANSWER.REQUEST, WireType.LengthDelimited).bytes(request);
  const reader = new BinaryReader(request);
  // One question: of several fields the last one counts, as of every oneof.
  let asked: number | undefined;
  let what: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (QUESTIONS.has(field)) [asked, what] = [field, reader.bytes()];
    else reader.skip(type);
  }
  const name = new TextDecoder().decode(what);
  if (asked === ASKED.FILE) writeFile(writer, registry.getFile(name));
  else if (asked === ASKED.SYMBOL) writeFile(writer, fileOf(registry, name));
  else if (asked === ASKED.SERVICES) writeServices(writer, registry);
  else if (asked !== undefined) writeError(writer, "there are no extensions");
  return writer.finish();
}

function writeFile(writer: BinaryWriter, file: DescFile | undefined): void {
  if (file === undefined) {
    writeError(writer, "there is no such file or symbol");
    return;
  }
  writer.tag(ANSWER.FILES, WireType.LengthDelimited).fork();
  for (const one of withImports(file)) writer.tag(1, WireType.LengthDelimited).bytes(toBinary(FileDescriptorProtoSchema, one.proto));
  writer.join();
}

function writeServices(writer: BinaryWriter, registry: Registry): void {
  writer.tag(ANSWER.SERVICES, WireType.LengthDelimited).fork();
  for (const one of registry) {
    if (one.kind === "service") writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(one.typeName).join();
  }
  writer.join();
}

function writeError(writer: BinaryWriter, message: string): void {
  writer.tag(ANSWER.ERROR, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(Status.NOT_FOUND);
  writer.tag(2, WireType.LengthDelimited).string(message).join();
}

/** The file of a type or service, or of a service's method. */
function fileOf(registry: Registry, symbol: string): DescFile | undefined {
  const whole = registry.get(symbol);
  if (whole !== undefined) return whole.file;
  const at = symbol.lastIndexOf(".");
  const service: DescService | undefined = registry.getService(symbol.slice(0, at));
  return service?.methods.some(({ name }) => name === symbol.slice(at + 1)) ? service.file : undefined;
}

function withImports(file: DescFile): Set<DescFile> {
  const files = new Set([file]);
  for (const one of files) for (const imported of one.dependencies) files.add(imported);
  return files;
}
