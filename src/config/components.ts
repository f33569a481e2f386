import type { z } from "zod";
import { aliases, components } from "../components/registry.ts";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { text } from "../pubsub/options.ts";
import { unkept } from "../pubsub/unkept.ts";
import type { ConfiguredPubSub } from "../runtime/settings.ts";
import { check, keysAt, nearest } from "./check.ts";
import { child, describe, keyPlace, type MapNode, placeOf, plain, type ScalarNode, type Tree, textOf } from "./tree.ts";

/** How strictly a file's form wants the keys of `metadata`. */
export interface Strictness {
  /** Keys that the component does not know are named in `notices` and dropped, and the case of keys is not regarded. */
  readonly lenient: boolean;
  readonly notices: string[];
}

/** The configured components. Loads the code of those types that are named, and of no other. */
export async function configureComponents(
  pubsubs: Tree | undefined,
  appId: string,
  strictness: Strictness,
  problems: ConfigProblem[],
): Promise<Map<string, ConfiguredPubSub>> {
  const configured = new Map<string, ConfiguredPubSub>();
  for (const [name, node] of pubsubs?.kind === "map" ? pubsubs.entries : []) {
    const one = await configure(name, node, appId, strictness, problems);
    if (one) configured.set(name, one);
  }
  return configured;
}

async function configure(
  name: string,
  node: Tree,
  appId: string,
  strictness: Strictness,
  problems: ConfigProblem[],
): Promise<ConfiguredPubSub | undefined> {
  const typeNode = child(node, "type");
  // What is missing or of another kind was told by the schema.
  if (typeNode?.kind !== "scalar" || typeof typeNode.value !== "string") return undefined;
  const written = typeNode.value.replace(/^pubsub\./, "");
  const type = Object.hasOwn(aliases, written) ? (aliases[written] ?? written) : written;
  const load = Object.hasOwn(components, type) ? components[type] : undefined;
  if (!load) {
    const types = Object.keys(components);
    const expected = `one of ${types.join(", ")}${nearest(type, types)}`;
    problems.push(problem("CONFIG_UNKNOWN_TYPE", placeOf(typeNode), { type: describe(typeNode) }, expected));
    return undefined;
  }
  const { definition } = await load();
  const given = child(node, "metadata");
  const metadata: MapNode =
    given?.kind === "map" ? given : { kind: "map", path: [...node.path, "metadata"], at: node.at, entries: new Map() };
  if (strictness.lenient) checkProtected(metadata, problems);
  const { consumerID, ...rest } = split(metadata, keysAt(definition.options, []), type, name, strictness);
  const group = check(text().optional(), consumerID && plain(consumerID), consumerID ?? metadata, problems)?.trim() || appId;
  const own: MapNode = { ...metadata, entries: rest.entries };
  const options: unknown = check(definition.options as z.ZodType<unknown, unknown>, plain(own), own, problems);
  if (options === undefined) return undefined;
  return {
    type,
    group: definition.groupOf?.(options) ?? group,
    ...(definition.readingOf && { reading: definition.readingOf(options) }),
    ordering: definition.orderingOf?.(options) ?? definition.capabilities.ordering,
    open: (context) => definition.open(options, context),
  };
}

/** `consumerID`, which the engine wants, and what is the component's own. */
function split(
  metadata: MapNode,
  known: readonly string[],
  type: string,
  name: string,
  { lenient, notices }: Strictness,
): { readonly consumerID?: ScalarNode; readonly entries: Map<string, Tree> } {
  const entries = new Map(metadata.entries);
  let consumerID: ScalarNode | undefined;
  const unknown: string[] = [];
  for (const [key, node] of metadata.entries) {
    const meant = lenient ? [...known, "consumerID"].find((one) => one.toLowerCase() === key.toLowerCase()) : key;
    entries.delete(key);
    if (meant === "consumerID" && node.kind === "scalar") consumerID = node;
    else if (meant !== undefined) entries.set(meant, node);
    else unknown.push(`${key}${nearest(key, known)}`);
  }
  if (unknown.length > 0)
    notices.push(`The component ${name} of type ${type} does not know these keys, which are ignored: ${unknown.join(", ")}.`);
  return consumerID ? { consumerID, entries } : { entries };
}

/** What says in Dapr's components who may use which topic. */
const PROTECTING: ReadonlySet<string> = new Set(["publishingscopes", "subscriptionscopes", "allowedtopics", "protectedtopics"]);
const UNPROTECTED = "none: who reaches this sidecar may use every topic of the component; restrict them by the broker's own permissions";

/** To ignore it would open what is meant to be closed. */
function checkProtected({ entries }: MapNode, problems: ConfigProblem[]): void {
  for (const [key, node] of entries) {
    if (PROTECTING.has(key.toLowerCase()) && textOf(node))
      problems.push(problem("CONFIG_VALUE", placeOf(node), { value: describe(node) }, UNPROTECTED));
  }
}

/** A subscription that names a component which is not there, wants an order that this one cannot keep, or stands there twice, is a mistake. */
export function checkSubscriptions(
  tree: Tree,
  names: readonly string[],
  pubsubs: ReadonlyMap<string, ConfiguredPubSub>,
  problems: ConfigProblem[],
): void {
  const list = child(tree, "subscriptions");
  const seen = new Set<string>();
  for (const node of list?.kind === "list" ? list.items : []) {
    const [pubsub, topic] = [child(node, "pubsub"), child(node, "topic")];
    if (pubsub?.kind !== "scalar" || topic?.kind !== "scalar") continue;
    const name = String(pubsub.value);
    if (!names.includes(name)) {
      const expected = names.length === 0 ? "a component of pubsubs" : `one of ${names.join(", ")}${nearest(name, names)}`;
      problems.push(problem("CONFIG_UNKNOWN_PUBSUB", placeOf(pubsub), { pubsub: name }, expected));
    }
    checkOrder(node, pubsubs.get(name), problems);
    if (textOf(child(node, "deadLetterTopic")) === String(topic.value))
      problems.push(problem("CONFIG_DEAD_LETTER_LOOP", placeOf(topic), { topic: String(topic.value) }, "another topic"));
    const key = JSON.stringify([name, topic.value]);
    if (seen.has(key))
      problems.push(problem("CONFIG_SUBSCRIPTION_TWICE", keyPlace(node), { topic: String(topic.value), pubsub: name }, "each topic once"));
    seen.add(key);
  }
}

function checkOrder(subscription: Tree, pubsub: ConfiguredPubSub | undefined, problems: ConfigProblem[]): void {
  const node = child(subscription, "order") ?? child(child(subscription, "metadata"), "order");
  const order = textOf(node);
  // Another word than these was told by the schema.
  const why = pubsub && (order === "key" || order === "topic") && unkept(order, pubsub.ordering);
  if (!node || !why) return;
  problems.push(
    problem("CONFIG_VALUE", placeOf(node), { value: describe(node) }, `${pubsub.ordering === "none" ? "none" : "none or key"}; ${why}`),
  );
}
