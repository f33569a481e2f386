import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto`: pretty on a terminal, a line of JSON an entry elsewhere. */
export const LOG_FORMATS = ["auto", "pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Writes to `to`: by default the standard output. When nobody reads that any more, or its disk is full, what it cannot take is gone, and nothing else. */
export async function createLog(level: LogLevel, format: LogFormat = "auto", to: NodeJS.WriteStream = process.stdout): Promise<Logger> {
  to.on("error", () => undefined);
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label: string) => ({ level: label }) } };
  return pino(options, await destination(format, to));
}

async function destination(format: LogFormat, to: NodeJS.WriteStream): Promise<DestinationStream> {
  if (format === "json" || (format === "auto" && !to.isTTY)) return to;
  const { default: pretty } = await import("pino-pretty");
  // Synchronous: what was said before a crash or an exit must be readable after it.
  return pretty({ colorize: to.isTTY === true, sync: true, translateTime: "HH:MM:ss.l", ignore: "pid,hostname", destination: to });
}
