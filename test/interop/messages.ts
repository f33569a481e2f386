import type { ReceivedEvent } from "layotto-sdk";

export const KINDS = ["text", "json", "binary", "cloudevents+json", "ttl"] as const;
type Kind = (typeof KINDS)[number];

/** A message as a program publishes it. */
export interface Sent {
  readonly kind: Kind;
  /** Stands in the data, and names the message. */
  readonly mark: string;
  readonly data: Uint8Array;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const json = (mark: string) => `{"mark":"${mark}","big":12345678901234567890,"price":1.10,"a":{"z":1,"b":[1,2.50]}}`;

/** The message of a kind that takes turns with the others. */
export function sent(mark: string, index: number): Sent {
  const kind = KINDS[index % KINDS.length] ?? "text";
  const [data, contentType] = body(kind, mark);
  return { kind, mark, data, contentType, metadata: kind === "ttl" ? { ttlInSeconds: "600" } : {} };
}

function body(kind: Kind, mark: string): readonly [data: Uint8Array, contentType: string] {
  if (kind === "json") return [Buffer.from(json(mark)), "application/json"];
  if (kind === "binary") {
    const bytes = Uint8Array.from({ length: 64 * 1024 }, (_, place) => (place * 7) & 0xff);
    bytes.set(Buffer.from(`${mark} `));
    return [bytes, "application/octet-stream"];
  }
  if (kind !== "cloudevents+json") return [Buffer.from(`${mark} naïve 雪`), "text/plain"];
  const event = `{"specversion":"1.0","id":"id-${mark}","source":"here","type":"my.type","datacontenttype":"application/json","data":${json(mark)}}`;
  return [Buffer.from(event), "application/cloudevents+json"];
}

/** What an app must be handed, as text. An absent field may be anything. */
export function expected({ kind, mark, data, contentType }: Sent, topic: string): Readonly<Record<string, string>> {
  const own = kind === "cloudevents+json";
  return {
    ...(own ? { id: `id-${mark}` } : {}),
    source: own ? "here" : "runtime",
    type: own ? "my.type" : "com.runtime.event.sent",
    contentType: own ? "application/json" : contentType,
    topic,
    data: own ? json(mark) : Buffer.from(data).toString("latin1"),
  };
}

/** Where an event is not what it must be. */
export function differences(
  event: ReceivedEvent,
  wanted: Readonly<Record<string, string>>,
): readonly { readonly field: string; readonly found: string; readonly wanted: string }[] {
  const { id, source, type, contentType, topic } = event;
  const found: Readonly<Record<string, string>> = {
    id,
    source,
    type,
    contentType,
    topic,
    data: Buffer.from(event.data).toString("latin1"),
  };
  return Object.entries(wanted)
    .filter(([field, value]) => found[field] !== value)
    .map(([field, value]) => ({ field, found: found[field] ?? "", wanted: value }));
}
