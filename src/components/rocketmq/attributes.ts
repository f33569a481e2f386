/**
 * What travels beside the bytes, as RocketMQ's properties. Most names and values can be a property; the others stand together in one, as JSON
 * that is plain ASCII (D12). Foreign messages have none of ours.
 */
const OURS = "layotto.rocketmq.";
const OTHERS = `${OURS}attributes`;
/** The key, where the message's group cannot tell it. */
const KEY = `${OURS}key`;
/** The message has a group only because its topic wants one. */
const KEYLESS = `${OURS}keyless`;
/** A body of one byte that stands for none: a proxy takes no empty body. */
const EMPTY = `${OURS}empty`;

export const TAG = "rocketmq-tag";
const KEYS = "rocketmq-key";
/** As Layotto in Go names the key that keeps messages together. */
export const SHARDING_KEY = "rocketmq-shardingkey";

/** What the broker keeps among the properties for itself, and a proxy shows all the same. */
const SYSTEM: ReadonlySet<string> = new Set(["__SHARDINGKEY", "TRACE_CONTEXT", "INNER_NUM", "CHECK_IMMUNITY_TIME_IN_SECONDS"]);
/** Names that are RocketMQ's, or may become it. */
const RESERVED = /^(?:__|[A-Z0-9_#]+$)/;
/** What no property may have: control characters, which also part one from the next. And half a surrogate pair, which UTF-8 cannot tell. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about.
const UNFIT = /[\u0000-\u001f\u007f-\u009f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const BEYOND_ASCII = /[\u007f-\uffff]/g;

export interface Beside {
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
}

/** Tag and keys, which RocketMQ filters and looks up by, where the publisher gave them as Layotto in Go takes them. */
export interface Named {
  readonly tag?: string;
  readonly keys: readonly string[];
}

/** Takes out what `named` tells otherwise. `group`: the message's group, if it has one. */
export function toProperties({ attributes, key }: Beside, group: string | undefined, empty: boolean, named: Named): Record<string, string> {
  const properties: Record<string, string> = {};
  const others: [string, string][] = [];
  for (const name in attributes) {
    const value = attributes[name] as string;
    if ((name === TAG && named.tag !== undefined) || (name === KEYS && named.keys.length > 0)) continue;
    if (fits(name, value)) properties[name] = value;
    else others.push([name, value]);
  }
  if (others.length > 0) properties[OTHERS] = ascii(JSON.stringify(others));
  if (key !== group) properties[key === undefined ? KEYLESS : KEY] = key === undefined ? "1" : ascii(JSON.stringify(key));
  if (empty) properties[EMPTY] = "1";
  return properties;
}

export function fromProperties(
  properties: Readonly<Record<string, string>>,
  group: string | undefined,
  named: Named,
): Beside & { readonly empty: boolean } {
  // Without a prototype: "__proto__" is a name like any other.
  const attributes: Record<string, string> = Object.create(null);
  let key = group;
  let empty = false;
  for (const name in properties) {
    const value = properties[name] as string;
    const meant: unknown = name === OTHERS || name === KEY ? parsed(value) : undefined;
    if (name === OTHERS && isPairs(meant)) for (const [one, its] of meant) attributes[one] = its;
    else if (name === KEY && typeof meant === "string") key = meant;
    else if (name === KEYLESS) key = undefined;
    else if (name === EMPTY) empty = true;
    // A foreign one is an attribute, whatever it is called.
    else if (!SYSTEM.has(name)) attributes[name] = value;
  }
  if (named.tag !== undefined && named.tag !== "") attributes[TAG] = named.tag;
  if (named.keys.length > 0) attributes[KEYS] = named.keys.join(",");
  return { attributes, empty, ...(key !== undefined && { key }) };
}

export function namedBy(attributes: Readonly<Record<string, string>>): Named {
  const tag = attributes[TAG];
  const keys = attributes[KEYS];
  return {
    ...(tag !== undefined && tag.trim() !== "" && !tag.includes("|") && !UNFIT.test(tag) && { tag }),
    // A blank parts one key from the next.
    keys: keys !== undefined && /^[^\s,]+(?:,[^\s,]+)*$/.test(keys) && !UNFIT.test(keys) ? keys.split(",") : [],
  };
}

const GROUP_BYTES = 64;

/** Whether a key can be a message's group as it is. */
export const fitsGroup = (key: string): boolean => key.trim() !== "" && Buffer.byteLength(key) < GROUP_BYTES && !UNFIT.test(key);

const fits = (name: string, value: string): boolean =>
  name !== "" && value !== "" && !name.startsWith(OURS) && !RESERVED.test(name) && !UNFIT.test(name) && !UNFIT.test(value);

/** Undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isPairs = (value: unknown): value is readonly (readonly [string, string])[] =>
  Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((one) => typeof one === "string"));

const ascii = (json: string): string => json.replace(BEYOND_ASCII, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
