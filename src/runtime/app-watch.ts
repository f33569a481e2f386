import type { AppChannel } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { Logger } from "../telemetry/log.ts";

/** An app that starts or restarts is away for less. */
const AWAY_MS = 5_000;

/** Writes down that the app has been out of reach for a while, and that it is there again. The returned function ends that. */
export function watchApp(channel: AppChannel, address: string, clock: Clock, log: Logger): () => void {
  let told = false;
  let cancel: () => void = () => undefined;
  const changed = (reachable: boolean): void => {
    cancel();
    if (reachable && told) log.info({ address }, "the app is reached again");
    if (reachable) told = false;
    else {
      cancel = clock.after(AWAY_MS, () => {
        told = true;
        log.warn(
          { address },
          "no app answers; what it subscribes to waits for it (app.address, --app-port), and one that only publishes is not called",
        );
      });
    }
  };
  const end = channel.onReachable(changed);
  changed(channel.reachable);
  return () => {
    cancel();
    end();
  };
}
