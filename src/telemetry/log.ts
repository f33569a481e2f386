import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Pretty on a terminal, a line of JSON an entry elsewhere. To `to`: by default the standard output. */
export function createLog(level: LogLevel, to: NodeJS.WriteStream = process.stdout): Logger {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label: string) => ({ level: label }) } };
  return pino(options, destination(to));
}

function destination(to: NodeJS.WriteStream): DestinationStream {
  // Synchronous: what was said before a crash or an exit must be readable after it.
  return to.isTTY ? pretty({ colorize: true, sync: true, translateTime: "HH:MM:ss.l", ignore: "pid,hostname", destination: to }) : to;
}
