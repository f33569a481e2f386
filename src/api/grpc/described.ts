import type { DescFile } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_spec_proto_runtime_v1_runtime } from "layotto-proto/runtime";
import type { Handlers } from "layotto-transport";
import { reflection } from "layotto-transport/reflection";

/** gRPC's server reflection for what the API serves, so that grpcurl and others need no .proto files. */
export function described(): Handlers {
  return reflection(withImports([file_spec_proto_runtime_v1_runtime]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)));
}

/** Each file after those that it imports. */
function withImports(files: readonly DescFile[]): readonly DescFile[] {
  return [...new Set(files.flatMap((file) => [...withImports(file.dependencies), file]))];
}
