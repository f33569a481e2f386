import type { MessageInitShape } from "@bufbuild/protobuf";
import { PubSubError } from "../../pubsub/error.ts";
import { TAG } from "./attributes.ts";
import { type FilterExpressionSchema, FilterType } from "./gen/apache/rocketmq/v2/definition_pb.ts";

const TYPE = "rocketmq-sub-type";
const EXPRESSION = "rocketmq-sub-expression";

/** Which messages of the topic a subscription wants, by its metadata. The broker passes over the others, which is as good as an acknowledgement. */
export function filterOf(options: Readonly<Record<string, string>>): MessageInitShape<typeof FilterExpressionSchema> {
  const expression = options[EXPRESSION] ?? options[TAG] ?? "";
  const type = (options[TYPE] ?? "tag").toLowerCase();
  if (type === "tag") return { type: FilterType.TAG, expression: expression === "" ? "*" : expression };
  if (type === "sql92" && expression !== "") return { type: FilterType.SQL, expression };
  const wrong = type === "sql92" ? `${EXPRESSION} is missing` : `${TYPE} is "${type}", expected tag or sql92`;
  throw new PubSubError("invalid_argument", `the subscription's metadata: ${wrong}`, { permanent: true });
}
