import { Command, Option } from "commander";
import type { Publisher } from "layotto-sdk";
import { RpcError } from "layotto-transport";
import { CliError, EXIT } from "./exit-codes.ts";

const DEFAULT_ADDRESS = "127.0.0.1:34904";

interface Flags {
  readonly address?: string;
  readonly contentType?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly timeout: number;
}

/** `layotto publish`: speaks to a running sidecar, never to a broker. */
export const publish = new Command("publish")
  .description("publish one event through a running sidecar")
  .argument("<pubsub>", "the component's name in the sidecar's configuration")
  .argument("<topic>")
  .argument("<data>", "the event's data, as text")
  .addOption(addressOption())
  .option("--content-type <type>", "the data's content type (default: text/plain)")
  .option("-m, --metadata <name=value>", "metadata that travels with the event; may be repeated", collect, {})
  .option("--timeout <seconds>", "how long to wait for the sidecar and its broker", seconds, 10)
  .addHelpText(
    "after",
    `
Examples:
  layotto publish redis topic1 value1
  layotto publish redis orders '{"id":1}' --content-type application/json -m ttlInSeconds=60`,
  )
  .action(async (pubsub: string, topic: string, data: string, flags: Flags) => {
    const publisher = await open(flags.address);
    try {
      await publisher.publishEvent(pubsub, topic, data, {
        metadata: flags.metadata,
        timeoutMs: flags.timeout * 1_000,
        ...(flags.contentType === undefined ? {} : { contentType: flags.contentType }),
      });
      console.log(`Published to ${topic} in ${pubsub}.`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new CliError(`not published: ${error.from === "peer" ? error.message : noAnswer(flags, error)}`);
    } finally {
      publisher.close();
    }
  });

function noAnswer({ address = DEFAULT_ADDRESS, timeout }: Flags, { message }: RpcError): string {
  return `no sidecar answered at ${address} within ${timeout} s (${message}). Is it running, and is this its gRPC address? Name another with -a.`;
}

function addressOption(): Option {
  return new Option("-a, --address <address>", `the sidecar's gRPC address, HOST:PORT or unix:///PATH (default: ${DEFAULT_ADDRESS})`).env(
    "LAYOTTO_GRPC_ADDRESS",
  );
}

async function open(address: string | undefined): Promise<Publisher> {
  const { createPublisher } = await import("layotto-sdk");
  try {
    return createPublisher(address === undefined ? {} : { address });
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), EXIT.configuration);
  }
}

function collect(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new CliError(`--metadata ${text}: expected NAME=VALUE`, EXIT.configuration);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new CliError(`--timeout ${text}: expected a number of seconds above 0`, EXIT.configuration);
  return value;
}
