import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian starts a service as soon as its package is installed, unless this file forbids it. The servers of the tests are their own. */
const POLICY = "/usr/sbin/policy-rc.d";

/** Makes `command` available from a Debian package if it is not there. Returns why it cannot be had; undefined: it is there. */
export function provide(command: string, debianPackage: string): string | undefined {
  return provideWhat(command, debianPackage, () => found(command));
}

/** The same for what is no command: `there` tells whether it is. */
export function provideWhat(what: string, debianPackage: string, there: () => boolean): string | undefined {
  if (there()) return undefined;
  if (!found("apt-get")) return `${what} is not installed, and there is no apt-get to install it with`;
  if (process.getuid?.() !== 0) return `${what} is not installed, and only root can install the package ${debianPackage}`;
  const problem = install(debianPackage);
  if (problem !== undefined) return `${what} is not installed, and apt-get install ${debianPackage} failed: ${problem}`;
  return there() ? undefined : `the package ${debianPackage} brought no ${what}`;
}

function found(command: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function install(debianPackage: string): string | undefined {
  const forbids = !existsSync(POLICY);
  if (forbids) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const install = ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", debianPackage];
    if (aptGet(install) === undefined) return undefined;
    return aptGet(["update"]) ?? aptGet(install);
  } finally {
    if (forbids) rmSync(POLICY, { force: true });
  }
}

function aptGet(args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync("apt-get", args, {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (error) return error.message;
  return status === 0 ? undefined : stderr.trim().split("\n").at(-1) || `exit code ${status}`;
}
