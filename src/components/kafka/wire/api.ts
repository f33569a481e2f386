import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** One kind of request, in the one version that we speak. */
export interface Api<Query, Answer> {
  /** As Kafka names it, for errors. */
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** Its headers have room for tagged fields. */
  readonly flexible?: true;
  write(writer: Writer, query: Query): void;
  read(reader: Reader): Answer;
}
