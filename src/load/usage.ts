import { readFileSync } from "node:fs";

/** What a process has used so far. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** The kernel counts in hundredths of a second on every Linux there is. */
const TICK_MS = 10;

/** From the kernel's own books. Undefined where it keeps none that can be read: not Linux, or no such process. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const [, fields = ""] = /^\d+ \(.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    const ticks = fields.split(" ");
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return { cpuMs: (Number(ticks[11]) + Number(ticks[12])) * TICK_MS, rssBytes: Number(kib) * 1_024 };
  } catch {
    return undefined; // measuring goes on without what this system does not tell
  }
}
