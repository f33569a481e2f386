/** Layotto's default when a publisher names none. */
export const TEXT = "text/plain";
export const BYTES = "application/octet-stream";
export const JSON_TYPE = "application/json";
const CLOUD_EVENT = "application/cloudevents+json";

/** Type and subtype alone. A topic's messages are of few types: those seen last are remembered. */
function essence(type: string): string {
  const known = seen.get(type);
  if (known !== undefined) return known;
  const found = (type.split(";", 1)[0] ?? "").trim().toLowerCase();
  if (seen.size >= REMEMBERED) seen.clear();
  seen.set(type, found);
  return found;
}

const seen = new Map<string, string>();
const REMEMBERED = 100;

/**
 * Only `application/json` itself is embedded as JSON: of the `+json` types Go Layotto reads nothing but `data_base64`, so that is how they
 * travel, as every type that is neither JSON nor text.
 */
export const isJson = (type: string): boolean => essence(type) === JSON_TYPE;
export const isText = (type: string): boolean => essence(type).startsWith("text/") || essence(type) === "application/xml";
export const isCloudEvent = (type: string): boolean => essence(type) === CLOUD_EVENT;
