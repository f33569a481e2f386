import { readFileSync } from "node:fs";
import { Command } from "commander";

/** Read when it is asked for, so that it is the package's own. */
function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "unknown";
}

/** `layotto version`: names this implementation, since there is another one in Go. */
export const version = new Command("version")
  .description("print the version of this implementation")
  .action(() => console.log(`layotto-sidecar ${packageVersion()} (Layotto in TypeScript, Node ${process.version})`));
