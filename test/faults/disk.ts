import { execFileSync } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrokerDisk } from "./broker.ts";

/** More than what `embedded` sets aside for a full disk. */
const SIZE = "48m";
const FILLER = "filler";
const isRoot = process.getuid?.() === 0;

/** Why there can be no small disk on this machine; undefined: there can. */
export const smallDiskUnavailable = once((): string | undefined => {
  if (!isRoot) return "only root can mount a small disk";
  const directory = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    mount(directory);
    unmount(directory);
    return undefined;
  } catch (error) {
    return `no small disk can be mounted here: ${(error as Error).message.trim()}`;
  } finally {
    rmdirSync(directory);
  }
});

/** Why nothing can be made unwritable on this machine; undefined: it can. */
export const sealingUnavailable = once((): string | undefined => {
  if (process.platform !== "linux") return "only Linux can keep a process that runs from writing";
  try {
    execFileSync("prlimit", ["--version"]);
  } catch {
    return "there is no prlimit, which keeps a process that runs from writing";
  }
  // Permissions are no obstacle for root.
  return isRoot ? smallDiskUnavailable() : undefined;
});

/**
 * The disk under a directory of one process: a small one in memory where one can be mounted, else the directory as it is, which cannot be
 * filled. `running` tells the process that has it, if there is one.
 */
export class Disk implements BrokerDisk {
  readonly #directory: string;
  readonly #running: () => number | undefined;
  readonly #mounted: boolean;

  constructor(directory: string, running: () => number | undefined) {
    this.#directory = directory;
    this.#running = running;
    this.#mounted = smallDiskUnavailable() === undefined;
    mkdirSync(directory);
    if (this.#mounted) mount(directory);
  }

  fill(): void {
    if (!this.#mounted) throw new Error("only a small disk can be filled");
    const handle = openSync(join(this.#directory, FILLER), "w");
    try {
      for (const size of [2 ** 20, 2 ** 12]) writeUntilFull(handle, new Uint8Array(size));
    } finally {
      closeSync(handle);
    }
  }

  free(): void {
    rmSync(join(this.#directory, FILLER));
  }

  /**
   * A disk that turns read-only because of its own errors does so whoever writes; asked to, it waits until nobody does. For a process that
   * runs, each write fails, as it would then: a limit says that no file of its may become longer than nothing.
   */
  seal(): void {
    const pid = this.#running();
    if (pid !== undefined) execFileSync("prlimit", ["--pid", `${pid}`, "--fsize=0:"]);
    else if (this.#mounted) execFileSync("mount", ["-o", "remount,ro", this.#directory]);
    else this.#permit(0o444, 0o555);
  }

  unseal(): void {
    const pid = this.#running();
    if (this.#mounted) execFileSync("mount", ["-o", "remount,rw", this.#directory]);
    else this.#permit(0o644, 0o755);
    if (pid === undefined) return;
    const most = execFileSync("prlimit", ["--pid", `${pid}`, "--fsize", "--raw", "--noheadings", "--output", "HARD"], { encoding: "utf8" });
    execFileSync("prlimit", ["--pid", `${pid}`, `--fsize=${most.trim()}:`]);
  }

  close(): void {
    if (this.#mounted) unmount(this.#directory);
    else this.#permit(0o644, 0o755);
  }

  #permit(file: number, directory: number): void {
    for (const name of readdirSync(this.#directory)) chmodSync(join(this.#directory, name), file);
    chmodSync(this.#directory, directory);
  }
}

function writeUntilFull(handle: number, data: Uint8Array): void {
  try {
    for (;;) writeSync(handle, data);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}

function mount(directory: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", directory], { stdio: ["ignore", "ignore", "pipe"] });
}

/** Also while somebody has a file open there. */
function unmount(directory: string): void {
  execFileSync("umount", ["--lazy", directory]);
}

function once<T>(work: () => T): () => T {
  let done: { readonly result: T } | undefined;
  return () => {
    done ??= { result: work() };
    return done.result;
  };
}
