import { execFile, execFileSync } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { provide } from "./debian.ts";

const run = promisify(execFile);

/** What the newest of the programs asks for. */
const OLDEST_GO = "1.26";
/** Each at a fixed version, so that a test means the same tomorrow. */
const PROGRAMS = {
  h2spec: ["github.com/summerwind/h2spec/cmd/h2spec", "v2.2.1+incompatible"],
  "interop-client": ["google.golang.org/grpc/interop/client", "v1.85.0"],
  "interop-server": ["google.golang.org/grpc/interop/server", "v1.85.0"],
  grpcurl: ["github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.4"],
  ghz: ["github.com/bojand/ghz/cmd/ghz", "v0.93.0"],
  toxiproxy: ["github.com/Shopify/toxiproxy/v2/cmd/server", "v2.12.0"],
} as const;

export type GoProgram = keyof typeof PROGRAMS;

let availability: { readonly reason: string | undefined } | undefined;
const binaries = new Map<GoProgram, Promise<string>>();

/** Why nothing written in Go can be built here; undefined: it can. Installs Go where that is possible. */
export function goAvailable(): string | undefined {
  availability ??= { reason: provide("go", "golang-go") ?? tooOld() };
  return availability.reason;
}

function tooOld(): string | undefined {
  const version = goVersion();
  const [major = 0, minor = 0] = version.replace("go", "").split(".").map(Number.parseFloat);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_GO.split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    ? undefined
    : `${version} is here, and the programs need Go ${OLDEST_GO}`;
}

/** `go1.26.8`, whatever a `go.mod` nearby asks for. */
function goVersion(): string {
  return execFileSync("go", ["env", "GOVERSION"], { cwd: homedir(), encoding: "utf8" }).trim();
}

/** The path of the program's binary: built if it was not yet, and kept for later runs. Takes a minute or two the first time. */
export function goProgram(name: GoProgram): Promise<string> {
  const known = binaries.get(name);
  if (known) return known;
  const binary = built(name);
  binaries.set(name, binary);
  return binary;
}

async function built(name: GoProgram): Promise<string> {
  const [source, version] = PROGRAMS[name];
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "layotto-tests");
  const binary = join(cache, `${name}-${version}-${goVersion()}`);
  if (await exists(binary)) return binary;
  await mkdir(cache, { recursive: true });
  // Another test file may be building the same: each does so on its own, and a rename leaves one whole binary whoever comes last.
  const folder = await mkdtemp(join(cache, "building-"));
  try {
    await run("go", ["install", `${source}@${version}`], { cwd: folder, env: { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod" } });
    await rename(join(folder, basename(source)), binary);
    return binary;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
