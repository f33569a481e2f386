import { readFileSync, statSync } from "node:fs";
import { Command } from "commander";

/** By the package's own name: it is found from the sources and from the bundle. */
const MANIFEST = new URL(import.meta.resolve("layotto-sidecar/package.json"));

/** Read when it is asked for, so that it is the package's own. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(MANIFEST, "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "unknown";
}

/** When this copy was put where it stands: sources that run as they are were never compiled. RFC 3339. */
export const compiledAt = (): string => statSync(MANIFEST).mtime.toISOString();

/** `layotto version`: names this implementation, since there is another one in Go. */
export const version = new Command("version")
  .description("print the version of this implementation")
  .action(() => console.log(`layotto-sidecar ${packageVersion()} (Layotto in TypeScript, Node ${process.version})`));
