import { formatAddress, parseAddress } from "layotto-transport";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { LOG_LEVELS, type LogLevel } from "../telemetry/log.ts";
import type { Settings } from "./schema.ts";
import type { Environment } from "./variables.ts";

/** Flags of the command line, as they were written. They stand above variables, which stand above the file. */
export interface Overrides {
  readonly appId?: string;
  readonly grpcPort?: string;
  readonly httpPort?: string;
  readonly metricsPort?: string;
  readonly appPort?: string;
  readonly dataDir?: string;
  readonly logLevel?: string;
  readonly loggingLevel?: string;
}

const VARIABLES = {
  grpcPort: ["--grpc-port", "LAYOTTO_GRPC_PORT"],
  httpPort: ["--http-port", "LAYOTTO_HTTP_PORT"],
  metricsPort: ["--metrics-port", "LAYOTTO_METRICS_PORT"],
  appPort: ["--app-port", "LAYOTTO_APP_PORT"],
} as const;

/** Layotto's words for what is called otherwise here. */
const LAYOTTOS_LEVELS: Readonly<Record<string, LogLevel>> = { warning: "warn", critical: "fatal", off: "silent" };

/** The app's id, if it does not come from the file. */
export function appIdOf(flags: Overrides, env: Environment): string | undefined {
  return flags.appId?.trim() || env.LAYOTTO_APP_ID?.trim() || undefined;
}

/** The settings with what flags and variables say. */
export function override(settings: Settings, flags: Overrides, env: Environment, problems: ConfigProblem[], notices: string[]): Settings {
  const port = (what: keyof typeof VARIABLES): number | undefined => {
    const [flag, variable] = VARIABLES[what];
    const [source, text] = flags[what] === undefined ? [variable, env[variable]] : [flag, flags[what]];
    if (text === undefined || text === "") return undefined;
    const number = parsePort(text);
    if (number === undefined)
      problems.push(problem("CONFIG_VALUE", { source }, { value: JSON.stringify(text) }, "a port from 0 to 65535; 0 is any free one"));
    return number;
  };
  if (flags.logLevel && !level(flags.logLevel)) {
    const value = JSON.stringify(flags.logLevel);
    problems.push(problem("CONFIG_VALUE", { source: "--log-level" }, { value }, `one of ${LOG_LEVELS.join(", ")}`));
  } else if (env.LOG_LEVEL && !level(env.LOG_LEVEL)) {
    // Every program reads this variable: it may be meant for another.
    notices.push(`LOG_LEVEL is ${JSON.stringify(env.LOG_LEVEL)}, which is none of ${LOG_LEVELS.join(", ")}, and is left aside.`);
  }
  const { app, listen } = settings;
  const [grpc, http, metrics, called] = [port("grpcPort"), port("httpPort"), port("metricsPort"), port("appPort")];
  return {
    ...settings,
    app: { id: appIdOf(flags, env) ?? app.id, address: withPort(app.address, called) },
    listen: {
      grpc: listen.grpc.map((address) => withPort(address, grpc)),
      http: withPort(listen.http, http),
      metrics: withPort(listen.metrics, metrics),
    },
    dataDir: flags.dataDir ?? (env.LAYOTTO_DATA_DIR || settings.dataDir),
    log: {
      level: level(flags.logLevel ?? env.LOG_LEVEL) ?? level(flags.loggingLevel ?? env.LOGGING_LEVEL) ?? settings.log.level,
    },
  };
}

/** Unix sockets have no port. */
function withPort(address: string, port: number | undefined): string {
  const parsed = parseAddress(address);
  return port === undefined || !parsed || "path" in parsed ? address : formatAddress({ ...parsed, port });
}

/** Layotto's words too, in any case. One that nobody knows is undefined: of Layotto's own flag and variable it is left aside, as Layotto does. */
function level(text: string | undefined): Settings["log"]["level"] | undefined {
  const word = text?.toLowerCase();
  return LOG_LEVELS.find((one) => one === word) ?? (word === undefined ? undefined : LAYOTTOS_LEVELS[word]);
}

function parsePort(text: string): number | undefined {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port <= 65_535 ? port : undefined;
}
