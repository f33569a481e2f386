import { Command, Option } from "commander";
import type { ReceivedEvent, Subscriber } from "layotto-sdk";
import { CliError, EXIT } from "./exit-codes.ts";

interface Flags {
  readonly appAddress: string;
  readonly count?: number;
}

/** `layotto subscribe`: stands where the app stands, and takes its events. */
export const subscribe = new Command("subscribe")
  .description("print the events of a topic, in the place of the app: what is printed is consumed")
  .argument("<pubsub>", "the component's name in the sidecar's configuration")
  .argument("<topic>")
  .addOption(
    new Option("--app-address <address>", "where the sidecar calls the app back").default("127.0.0.1:9999").env("LAYOTTO_APP_ADDRESS"),
  )
  .option("-n, --count <events>", "stop after so many events", number)
  .addHelpText(
    "after",
    `
Examples:
  layotto subscribe redis topic1
  layotto subscribe redis topic1 --count 1

What the sidecar has for the app of other topics waits until the app is back.`,
  )
  .action(async (pubsub: string, topic: string, flags: Flags) => {
    const finished = Promise.withResolvers<void>();
    let seen = 0;
    const subscriber = (await open(flags.appAddress)).subscribe(pubsub, topic, (event) => {
      print(event);
      seen += 1;
      if (seen !== flags.count) return;
      // What is handed over beside it must stay for the app.
      subscriber.unsubscribe(pubsub, topic);
      finished.resolve();
    });
    console.error(`This takes the place of the app at ${flags.appAddress}: events of ${topic} in ${pubsub} are consumed. Ctrl-C ends it.`);
    try {
      await subscriber.listen();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CliError(`cannot take the app's place at ${flags.appAddress} (is the app running?): ${why}`);
    }
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, finished.resolve);
    await finished.promise;
    await subscriber.close(AbortSignal.timeout(5_000));
  });

function print(event: ReceivedEvent): void {
  const { id, source, type, contentType, topic, metadata } = event;
  console.log(JSON.stringify({ id, source, type, contentType, topic, metadata, data: event.text() }));
}

async function open(address: string): Promise<Subscriber> {
  const { createSubscriber } = await import("layotto-sdk");
  try {
    return createSubscriber({ address, others: "wait" });
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), EXIT.configuration);
  }
}

function number(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new CliError(`--count ${text}: expected a whole number above 0`, EXIT.configuration);
  return Number(text);
}
