import { Command, InvalidArgumentError, Option } from "commander";
import { type Address, parseAddress } from "layotto-transport";
import type { Quantiles } from "../load/latencies.ts";
import type { LoadReport } from "../load/load.ts";
import { CliError } from "./exit-codes.ts";

interface Flags {
  readonly address: Address;
  readonly api: "layotto" | "dapr";
  readonly appAddress: Address;
  readonly publishOnly?: boolean;
  readonly inFlight: number;
  readonly rate?: number;
  readonly seconds: number;
  readonly warmUp: number;
  readonly size: number;
  readonly keys?: number;
  readonly order: "none" | "key" | "topic";
  readonly pid?: number;
  readonly json?: boolean;
}

/** `layotto bench`: a load for a running sidecar, this one or another. */
export const bench = new Command("bench")
  .description("publish through a running sidecar, in the place of the app, and measure what comes back")
  .argument("<pubsub>", "the component's name in the sidecar's configuration")
  .argument("<topic>", "a topic of its own: what is on it is consumed")
  .addOption(
    new Option("-a, --address <address>", "the sidecar's gRPC address")
      .argParser(address)
      .default(address("127.0.0.1:34904"), "127.0.0.1:34904")
      .env("LAYOTTO_GRPC_ADDRESS"),
  )
  .addOption(new Option("--api <api>", "what the sidecar speaks").choices(["layotto", "dapr"]).default("layotto"))
  .addOption(
    new Option("--app-address <address>", "where the sidecar calls the app back")
      .argParser(address)
      .default(address("127.0.0.1:9999"), "127.0.0.1:9999")
      .env("LAYOTTO_APP_ADDRESS"),
  )
  .option("--publish-only", "take no app's place: measure publishing alone")
  .option("--in-flight <count>", "most publishes at once", positive, 64)
  .option("--rate <count>", "publishes a second (default: as many as go through)", positive)
  .option("--seconds <seconds>", "how long", positive, 10)
  .option("--warm-up <seconds>", "how long before that, unmeasured", whole, 2)
  .option("--size <bytes>", "bytes of data, 60 at least", whole, 256)
  .option("--keys <count>", "spread the messages over so many partition keys", positive)
  .addOption(new Option("--order <order>", "what the subscription asks for").choices(["none", "key", "topic"]).default("none"))
  .option("--pid <pid>", "the sidecar's process, to read its CPU and memory (Linux)", whole)
  .option("--json", "print the report as JSON")
  .addHelpText(
    "after",
    `
Examples:
  layotto bench redis bench1
  layotto bench redis bench1 --rate 2000 --seconds 60 --pid $(pgrep -nf 'main.(js|ts) start')
  layotto bench pubsub bench1 --api dapr -a 127.0.0.1:50001

What the sidecar has for the app of other topics waits until the app is back.`,
  )
  .action(async (pubsub: string, topic: string, flags: Flags) => {
    const { address: sidecar, appAddress, publishOnly, warmUp, json, pid, ...rest } = flags;
    const place = publishOnly ? {} : { app: appAddress };
    const { load } = await import("../load/load.ts");
    const report = await load({ ...rest, pid: () => pid, sidecar, pubsub, topic, warmUpSeconds: warmUp, ...place }, (line) =>
      console.error(line),
    ).catch((error: unknown) => {
      throw new CliError(`the load could not be made: ${error instanceof Error ? error.message : String(error)}`);
    });
    console.log(json ? JSON.stringify(report) : shown(report));
    if (report.failed > 0 || (report.missing ?? 0) > 0) throw new CliError("not everything that was published arrived");
  });

function shown(report: LoadReport): string {
  const {
    seconds,
    published,
    failed,
    error,
    publish,
    delivered,
    deliveredSeconds,
    duplicates,
    missing,
    endToEnd,
    cpuPerMessage,
    rssBytes,
  } = report;
  const rate = (count: number, within = seconds) => `${Math.round(count / within).toLocaleString("en")}/s`;
  const lines = [
    `published   ${published} (${rate(published)}), ${failed} failed${error === undefined ? "" : `: ${error}`}`,
    `  latency   ${quantiles(publish)}`,
  ];
  if (delivered !== undefined && endToEnd) {
    lines.push(
      `delivered   ${delivered} (${rate(delivered, deliveredSeconds)}), ${duplicates} twice, ${missing} missing`,
      `  end to end ${quantiles(endToEnd)}`,
    );
  }
  if (cpuPerMessage !== undefined)
    lines.push(`sidecar     ${Math.round(cpuPerMessage)} µs of CPU a message, ${Math.round((rssBytes ?? 0) / 2 ** 20)} MiB resident`);
  return lines.join("\n");
}

function quantiles({ p50, p99, max }: Quantiles): string {
  const ms = (us: number) => `${(us / 1_000).toFixed(2)} ms`;
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}`;
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed) throw new InvalidArgumentError("expected HOST:PORT or unix:///PATH.");
  return parsed;
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}

function positive(text: string): number {
  if (whole(text) === 0) throw new InvalidArgumentError("expected a whole number above 0.");
  return Number(text);
}
