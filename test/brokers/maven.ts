import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { provide } from "./debian.ts";

const run = promisify(execFile);
let availability: { readonly reason: string | undefined } | undefined;

/** `org.apache.rocketmq:rocketmq-proxy:5.5.0`. */
export type Artifact = `${string}:${string}:${string}`;

/** Why nothing that runs on Java can be had here; undefined: it can. Installs Java and Maven where that is possible. */
export function mavenAvailable(): string | undefined {
  availability ??= { reason: provide("mvn", "maven") ?? provide("java", "default-jdk-headless") };
  return availability.reason;
}

/**
 * The folder with the jars of these artifacts and of all that they need: got if they were not there yet, and kept for later runs under this
 * name in the user's cache folder. Takes a minute the first time.
 */
export async function jars(name: string, artifacts: readonly Artifact[]): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "layotto-tests");
  const folder = join(cache, name);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const building = await mkdtemp(join(cache, "getting-"));
  try {
    const pom = join(building, "pom.xml");
    await writeFile(pom, pomOf(artifacts));
    const to = join(building, "jars");
    await run("mvn", ["-B", "-q", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${to}`]);
    await rename(to, folder).catch(async (error: unknown) => {
      // Another test file was faster.
      if (!(await exists(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

function pomOf(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    "<groupId>layotto</groupId><artifactId>tests</artifactId><version>1</version><packaging>pom</packaging>",
    `<dependencies>${dependencies.join("")}</dependencies></project>`,
  ].join("\n");
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
