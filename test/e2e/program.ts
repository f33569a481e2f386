import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The project's folder. */
const root = fileURLToPath(new URL("../..", import.meta.url));

/** A real process of the project, its output, and its end. */
export class Program {
  readonly #child: ChildProcess;
  readonly #detached: boolean;
  readonly #exit: Promise<number | null>;
  #stdout = "";
  #stderr = "";

  /** Runs a script of the project, or another `command`, or elsewhere. */
  constructor(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    command = process.execPath,
    options: SpawnOptions = {},
  ) {
    this.#detached = options.detached === true;
    this.#child = spawn(command, [script, ...args], { cwd: root, env: { ...process.env, NO_COLOR: "1", ...env }, ...options });
    this.#exit = once(this.#child, "close").then(([code]) => code as number | null);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves once the standard output contains `text`; rejects if the process ends before. */
  async printed(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) {
      const more = this.#child.stdout ? once(this.#child.stdout, "data") : Promise.reject(new Error("no output"));
      const ended = await Promise.race([more.then(() => false), this.#exit.then(() => true)]);
      if (ended && !this.#stdout.includes(text))
        throw new Error(`ended without printing ${JSON.stringify(text)}:\n${this.#stdout}${this.#stderr}`);
    }
  }

  /** As when what it writes to ends. */
  stopReading(): void {
    this.#child.stdout?.destroy();
  }

  /** The exit code; null when a signal ended it. */
  ended(): Promise<number | null> {
    return this.#exit;
  }

  /** With everything that it started if it is `detached`, for what hands no signal on; else it alone. */
  killAll(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(this.#detached ? -this.pid : this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // all of them have ended
    }
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#child.kill(signal);
  }
}
