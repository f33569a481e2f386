import type { LoadedConfig } from "../config/load.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Logger } from "../telemetry/log.ts";

/** The one entry of the log that says what runs where. Topics follow as the app asks for them. */
export function banner({ settings, source }: LoadedConfig, runtime: Runtime, log: Logger): void {
  const pubsubs = Object.fromEntries([...settings.pubsubs].map(([name, { type }]) => [name, type]));
  const topics = settings.subscriptions.map(({ pubsub, topic }) => `${pubsub}/${topic}`);
  log.info(
    {
      config: source,
      grpc: runtime.grpc,
      http: runtime.http,
      metrics: runtime.metrics,
      app: settings.appAddress,
      appId: settings.appId,
      pubsubs,
      topics,
    },
    "layotto is ready",
  );
  if (source === "(embedded)")
    log.info({ dataDir: settings.dataDir }, "no configuration: the embedded broker runs, as the component pubsub");
}
