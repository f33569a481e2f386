import { type Handlers, lazily } from "layotto-transport";

const PATHS = ["v1", "v1alpha"].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

/** gRPC's server reflection for what the API serves, so that grpcurl and others need no .proto files. Few ever ask: it is loaded then. */
export function described(): Handlers {
  const load = async (path: string) => (await import("./reflected.ts")).reflected(path);
  return Object.fromEntries(PATHS.map((path) => [path, lazily(() => load(path))]));
}
