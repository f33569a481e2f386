import { randomUUID } from "node:crypto";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { secretReference } from "./secrets.ts";
import { child, itemsOf, keyPlace, mapLike, placeOf, scalarLike, type Tree, textOf } from "./tree.ts";
import type { Environment } from "./variables.ts";

/** What Dapr's resources leave to the command line and the environment. */
export interface DaprContext {
  readonly appId: string;
  readonly env: Environment;
}

/** One of Dapr's resources: a component, a subscription, or what we do not serve. */
export function isDapr(tree: Tree): boolean {
  return textOf(child(tree, "apiVersion"))?.startsWith("dapr.io/") ?? false;
}

/**
 * Turns Dapr's resources, one a document, into our form. A resource whose `scopes` do not name the app is not for it. What we do not
 * serve is named in `notices` and ignored.
 */
export function fromDapr(resources: readonly [Tree, ...Tree[]], context: DaprContext, notices: string[], problems: ConfigProblem[]): Tree {
  const components = new Map<string, Tree>();
  const stores = new Map<string, Tree>();
  const subscriptions: Tree[] = [];
  const ignored: string[] = [];
  const { mine = [], others = [] } = Object.groupBy(resources, (one) => (isFor(one, context.appId) ? "mine" : "others"));
  if (others.length > 0)
    notices.push(
      `By their scopes these resources are not for the app ${context.appId} (--app-id): ${others.map(nameOf).sort().join(", ")}.`,
    );
  for (const resource of mine) {
    const kind = textOf(child(resource, "kind"));
    const name = nameIn(resource);
    const type = textOf(child(child(resource, "spec"), "type"));
    if (kind === "Subscription") subscriptions.push(subscriptionOf(resource, name, notices));
    else if (kind !== "Component") ignored.push(`${kind ?? "?"} ${name ?? "?"}`);
    else if (name === undefined)
      problems.push(problem("CONFIG_MISSING", placeOf(resource, ["metadata", "name"]), {}, "the component's name"));
    else if (type?.startsWith("secretstores.")) stores.set(name, resource);
    else if (type !== undefined && !type.startsWith("pubsub.")) ignored.push(`${type} ${name}`);
    else if (components.has(name)) problems.push(problem("CONFIG_DUPLICATE_KEY", keyPlace(resource), { key: name }, "each name once"));
    else components.set(name, resource);
  }
  if (ignored.length > 0)
    notices.push(`This sidecar serves publish and subscribe; these resources are ignored: ${ignored.sort().join(", ")}.`);
  const [root] = resources;
  const fresh = [...components].filter(([, resource]) => itemsOf(metadataOf(resource)).some(isFresh)).map(([name]) => name);
  if (fresh.length > 0)
    notices.push(
      `With {uuid} each start reads in a group of its own, which stays at the broker and keeps its messages: ${fresh.join(", ")}.`,
    );
  const pubsubs = [...components].map(([name, resource]) => [name, componentOf(resource, stores, context, problems)] as const);
  return mapLike(root, {
    pubsubs: mapLike(root, Object.fromEntries(pubsubs)),
    subscriptions: { kind: "list", path: root.path, at: root.at, items: subscriptions },
  });
}

function nameIn(resource: Tree): string | undefined {
  return textOf(child(child(resource, "metadata"), "name"));
}

const nameOf = (resource: Tree): string => nameIn(resource) ?? "?";

function metadataOf(resource: Tree): Tree | undefined {
  return child(child(resource, "spec"), "metadata");
}

/** Whose value is another one at each start. */
function isFresh(item: Tree): boolean {
  return textOf(child(item, "value"))?.includes("{uuid}") ?? false;
}

function isFor(resource: Tree, appId: string): boolean {
  const scopes = itemsOf(child(resource, "scopes"));
  return scopes.length === 0 || scopes.some((scope) => textOf(scope) === appId);
}

function componentOf(resource: Tree, stores: ReadonlyMap<string, Tree>, context: DaprContext, problems: ConfigProblem[]): Tree {
  const spec = child(resource, "spec") ?? resource;
  const store = stores.get(textOf(child(child(resource, "auth"), "secretStore")) ?? "");
  const entries = new Map<string, Tree>();
  for (const item of itemsOf(child(spec, "metadata"))) {
    const name = textOf(child(item, "name"));
    if (name !== undefined) entries.set(name, valueOfItem(item, store, context, problems));
  }
  return mapLike(spec, { type: child(spec, "type"), metadata: { ...mapLike(child(spec, "metadata") ?? spec, {}), entries } });
}

function valueOfItem(item: Tree, store: Tree | undefined, context: DaprContext, problems: ConfigProblem[]): Tree {
  const variable = textOf(child(item, "envRef"));
  if (variable !== undefined) return mapLike(item, { secret: scalarLike(item, `env:${variable}`) });
  const secret = child(item, "secretKeyRef");
  if (secret) return mapLike(secret, { secret: scalarLike(secret, secretOf(secret, store)) });
  const value = child(item, "value");
  if (value?.kind !== "scalar" || typeof value.value !== "string") return value ?? scalarLike(item, "");
  if (value.value.includes("{podName}") && !context.env.POD_NAME) {
    problems.push(
      problem("CONFIG_VARIABLE_UNSET", placeOf(value), { name: "POD_NAME" }, "the pod's name in the environment, for {podName}"),
    );
    return { ...value, value: null, broken: true };
  }
  return { ...value, value: withTemplates(value.value, context) };
}

function secretOf(reference: Tree, store: Tree | undefined): string {
  const options = new Map(
    itemsOf(child(child(store, "spec"), "metadata")).map((one) => [textOf(child(one, "name")), textOf(child(one, "value"))]),
  );
  const [name, key] = [textOf(child(reference, "name")), textOf(child(reference, "key"))];
  const nested = name?.replaceAll(options.get("nestedSeparator") ?? ":", "/");
  return secretReference(textOf(child(child(store, "spec"), "type")), options.get("secretsFile"), [nested, key === name ? undefined : key]);
}

/** What Dapr fills in by itself, beside `${NAME}`: with the namespace goes the app's id, and each `{uuid}` is another. */
function withTemplates(text: string, { appId, env }: DaprContext): string {
  return text
    .replaceAll("{uuid}", () => randomUUID())
    .replaceAll("{podName}", () => env.POD_NAME ?? "")
    .replaceAll("{namespace}", () => `${env.NAMESPACE ?? ""}.${appId}`)
    .replaceAll("{appID}", () => appId);
}

const NOT_SERVED = ["routes", "bulkSubscribe"];

function subscriptionOf(resource: Tree, name: string | undefined, notices: string[]): Tree {
  const spec = child(resource, "spec") ?? resource;
  const others = NOT_SERVED.filter((key) => child(spec, key) && !isPlainRoute(child(spec, key)));
  if (others.length > 0)
    notices.push(`The subscription ${name ?? "?"}: these are not served yet, every event goes to the app: ${others.join(", ")}.`);
  return mapLike(spec, {
    pubsub: child(spec, "pubsubname"),
    topic: child(spec, "topic"),
    deadLetterTopic: child(spec, "deadLetterTopic"),
    metadata: child(spec, "metadata"),
  });
}

/** A path alone decides nothing: over gRPC the app sees the topic. */
function isPlainRoute(routes: Tree | undefined): boolean {
  return child(routes, "default") !== undefined && itemsOf(child(routes, "rules")).length === 0;
}
