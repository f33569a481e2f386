import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { KafkaOptions } from "./config.ts";
import type { StoredRecord } from "./wire/record-batch.ts";

const KEY = "__key";

/** How headers are turned into attributes, where that is not as they are. */
export function headersOf({ escapeHeaders, exclude }: KafkaOptions): ((record: StoredRecord) => StoredRecord) | undefined {
  if (!escapeHeaders && !(exclude instanceof RegExp)) return undefined;
  return (record) => {
    const kept = keptOf(record.attributes, exclude);
    const shown = escapeHeaders ? kept.map(([name, value]) => [name, isOurs(name) ? value : queryEscaped(value)]) : kept;
    return { ...record, attributes: Object.fromEntries(shown) };
  };
}

/** How a message goes out: the key may also come as Dapr's apps say it, and what nobody wants as a header may be the key all the same. */
export function outgoingOf({ exclude }: KafkaOptions): (message: Outgoing) => Outgoing {
  const excludes = exclude instanceof RegExp;
  return (message) => {
    const key = message.key ?? (message.attributes[KEY] || undefined);
    if (!excludes && key === message.key) return message;
    return {
      topic: message.topic,
      data: message.data,
      attributes: excludes ? Object.fromEntries(keptOf(message.attributes, exclude)) : message.attributes,
      ...(key !== undefined && { key }),
      done: (error, position) => message.done(error, position),
    };
  };
}

function keptOf(attributes: StoredRecord["attributes"], exclude: KafkaOptions["exclude"]): readonly (readonly [string, string])[] {
  const entries = Object.entries(attributes);
  return exclude instanceof RegExp ? entries.filter(([name]) => isOurs(name) || !exclude.test(name)) : entries;
}

/** The engine's own, which it must find as it wrote them. */
const isOurs = (name: string): boolean => name.startsWith("layotto-");

/** As Go's url.QueryEscape. */
function queryEscaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
