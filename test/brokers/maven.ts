import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { provide } from "./debian.ts";

const run = promisify(execFile);

let availability: { readonly reason: string | undefined } | undefined;
const folders = new Map<string, Promise<string>>();

/** Why nothing from Maven can be run here; undefined: it can. Installs Java and Maven where that is possible. */
export function mavenAvailable(): string | undefined {
  availability ??= { reason: provide("java", "default-jdk-headless") ?? provide("mvn", "maven") };
  return availability.reason;
}

/** A folder with the jars of these artifacts (`group:artifact:version`) and of all that they need. Fetched the first time, and kept for later runs. */
export function jars(name: string, artifacts: readonly string[]): Promise<string> {
  const known = folders.get(name);
  if (known) return known;
  const folder = fetched(name, artifacts);
  folders.set(name, folder);
  return folder;
}

async function fetched(name: string, artifacts: readonly string[]): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "layotto-tests");
  const folder = join(cache, name);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  // Another test file may be fetching the same: each does so on its own, and a rename leaves one whole folder whoever comes first.
  const making = await mkdtemp(join(cache, "fetching-"));
  try {
    await writeFile(join(making, "pom.xml"), pom(artifacts));
    await run("mvn", ["-B", "-q", "-f", making, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"], {
      cwd: making,
      maxBuffer: 16 * 2 ** 20,
    });
    await rename(join(making, "lib"), folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    "<groupId>tests</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>",
    `<dependencies>${dependencies.join("")}</dependencies></project>`,
  ].join("");
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
