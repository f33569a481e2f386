import { systemClock } from "../../pubsub/clock.ts";
import { Cluster } from "./cluster.ts";
import { kafkaOptions } from "./config.ts";
import { SignIn } from "./sign-in.ts";

/** The brokers at a port of the loopback, for what only a test asks of them. */
export function clusterAt(port: number): Cluster {
  const options = kafkaOptions.parse({ brokers: `127.0.0.1:${port}` });
  return new Cluster({ options, clientId: "test", clock: systemClock, signIn: new SignIn(options, systemClock) });
}
