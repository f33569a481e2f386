import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../../pubsub/clock.ts";
import type { RocketmqOptions } from "./config.ts";
import type { FilterExpressionSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import type { Proxies } from "./proxies.ts";

/** A client of the proxy that reads one topic for one group. */
export interface Member {
  readonly topic: string;
  readonly group: string;
  readonly clientId: string;
  readonly ordered: boolean;
  readonly filter: MessageInitShape<typeof FilterExpressionSchema>;
  readonly options: RocketmqOptions;
  readonly proxies: Proxies;
  readonly clock: Clock;
}
