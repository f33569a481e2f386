import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_spec_proto_runtime_v1_runtime } from "layotto-proto/runtime";
import type { StreamingHandler } from "layotto-transport";
import { reflection } from "layotto-transport/reflection";

const handlers = reflection(
  withImports([file_spec_proto_runtime_v1_runtime]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
);

/** What serves reflection at `path`. */
export function reflected(path: string): StreamingHandler {
  return handlers[path] as StreamingHandler;
}

/** Each file after those that it imports. */
function withImports(files: readonly DescFile[]): readonly DescFile[] {
  return [...new Set(files.flatMap((file) => [...withImports(file.dependencies), file]))];
}
