import { type ExecFileOptions, execFile } from "node:child_process";

/** How a program ended, and all that it printed. */
export interface Ran {
  /** Null when it was killed, as it is after a minute unless `options` say otherwise. */
  readonly code: number | null;
  readonly output: string;
}

export function ran(command: string, args: readonly string[], options: ExecFileOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { timeout: 60_000, maxBuffer: 16 * 2 ** 20, ...options }, (error, stdout, stderr) => {
      if (error && child.pid === undefined) reject(error);
      else resolve({ code: child.exitCode, output: `${stdout}${stderr}` });
    });
  });
}
