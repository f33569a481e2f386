import { readFileSync, statSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command } from "commander";

/** The nearest one, from the sources and from the bundle. */
const manifest = (): string => findPackageJSON(import.meta.url) ?? "package.json";

/** Read when it is asked for, so that it is the package's own. */
export function packageVersion(): string {
  const told: unknown = JSON.parse(readFileSync(manifest(), "utf8"));
  return typeof told === "object" && told !== null && "version" in told ? String(told.version) : "unknown";
}

/** When this copy was put where it stands: sources that run as they are were never compiled. RFC 3339. */
export const compiledAt = (): string => statSync(manifest()).mtime.toISOString();

/** `layotto version`: names this implementation, since there is another one in Go. */
export const version = new Command("version")
  .description("print the version of this implementation")
  .action(() => console.log(`layotto-sidecar ${packageVersion()} (Layotto in TypeScript, Node ${process.version})`));
