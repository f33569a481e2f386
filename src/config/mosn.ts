import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { secretReference } from "./secrets.ts";
import { child, itemsOf, keyPlace, mapLike, type ScalarNode, scalarLike, type Tree, textOf } from "./tree.ts";

/** Layotto's own form: MOSN's servers, listeners and filters, with Layotto's part at the bottom of them. */
export function isMosn(tree: Tree): boolean {
  return get(tree, "servers") !== undefined;
}

/** Turns Layotto's form into ours. What we do not serve is named in `notices`, once, and ignored. */
export function fromMosn(tree: Tree, notices: string[], problems: ConfigProblem[]): Tree {
  const config = grpcConfig(tree);
  if (!config) {
    const place = keyPlace(get(tree, "servers") ?? tree);
    problems.push(problem("CONFIG_MISSING", place, {}, "a listener with a filter of type grpc that has a config.grpc_config"));
    return tree;
  }
  const app = get(config, "app");
  const port = get(app, "grpc_callback_port");
  const host = get(app, "grpc_callback_host");
  const listeners = listenersOf(tree);
  ignoreOthers(config, notices);
  return mapLike(tree, {
    app: mapLike(app ?? config, { id: get(app, "app_id"), address: port && joined(host, "127.0.0.1", port) }),
    listen: mapLike(tree, { grpc: listeners.grpc, http: listeners.actuator, metrics: metricsOf(tree, listeners.actuator) }),
    pubsubs: pubsubsOf(config),
  });
}

const SERVED = new Set(["app", "pub_subs", "secret_store"]);

function ignoreOthers(config: Tree, notices: string[]): void {
  const others = config.kind === "map" ? [...config.entries.keys()].filter((key) => !SERVED.has(key.toLowerCase())) : [];
  if (others.length > 0)
    notices.push(`This sidecar serves publish and subscribe; these sections are ignored: ${others.sort().join(", ")}.`);
}

function filtersOf(listener: Tree): Tree[] {
  return itemsOf(get(listener, "filter_chains")).flatMap((chain) => itemsOf(get(chain, "filters")));
}

const allListeners = (tree: Tree): Tree[] => itemsOf(get(tree, "servers")).flatMap((server) => itemsOf(get(server, "listeners")));

function grpcConfig(tree: Tree): Tree | undefined {
  for (const filter of allListeners(tree).flatMap(filtersOf)) {
    const config = get(get(filter, "config"), "grpc_config");
    if (textOf(get(filter, "type")) === "grpc" && config) return config;
  }
  return undefined;
}

/** The addresses of the listeners: those with a gRPC filter are the API's, the one with the actuator's stream filter is health's. */
function listenersOf(tree: Tree): { readonly grpc: Tree | undefined; readonly actuator: Tree | undefined } {
  const grpc: ScalarNode[] = [];
  let actuator: ScalarNode | undefined;
  for (const listener of allListeners(tree)) {
    const address = get(listener, "address");
    if (address?.kind !== "scalar") continue;
    const unix = textOf(get(listener, "network"))?.toLowerCase() === "unix";
    const node = unix ? { ...address, value: `unix://${String(address.value)}` } : address;
    if (filtersOf(listener).some((filter) => textOf(get(filter, "type")) === "grpc")) grpc.push(node);
    else if (itemsOf(get(listener, "stream_filters")).some((filter) => textOf(get(filter, "type")) === "actuator_filter")) actuator = node;
  }
  const [first] = grpc;
  return { grpc: first && { kind: "list", path: first.path, at: first.at, items: grpc }, actuator };
}

/** The Prometheus sink has a port only: its host is the actuator's, which is asked by the same programs. */
function metricsOf(tree: Tree, actuator: Tree | undefined): Tree | undefined {
  const sink = itemsOf(get(get(tree, "metrics"), "sinks")).find((one) => textOf(get(one, "type")) === "prometheus");
  const port = get(get(sink, "config"), "port");
  const [, host] = /^(?!unix:)(.+):\d+$/.exec(textOf(actuator) ?? "") ?? [];
  return port && joined(host === undefined ? undefined : scalarLike(port, host), "127.0.0.1", port);
}

function pubsubsOf(config: Tree): Tree | undefined {
  const pubsubs = get(config, "pub_subs");
  if (pubsubs?.kind !== "map") return pubsubs;
  const entries = [...pubsubs.entries].map(([name, one]) => [name, pubsubOf(one, name, config)] as const);
  return { ...pubsubs, entries: new Map(entries) };
}

function pubsubOf(one: Tree, name: string, config: Tree): Tree {
  if (one.kind !== "map") return one;
  const metadata = get(one, "metadata");
  const values = new Map(metadata?.kind === "map" ? metadata.entries : []);
  for (const reference of itemsOf(get(one, "secret_ref"))) {
    const key = textOf(get(reference, "inject_as")) ?? textOf(get(reference, "sub_key")) ?? textOf(get(reference, "key"));
    if (key !== undefined) values.set(key, secretOf(reference, config));
  }
  const type = get(one, "type");
  // Layotto's older files have no type: the component's name is it.
  return mapLike(one, { type: type ?? scalarLike(one, name), metadata: { ...mapLike(metadata ?? one, {}), entries: values } });
}

function secretOf(reference: Tree, config: Tree): Tree {
  const store = get(get(config, "secret_store"), textOf(get(reference, "store_name")) ?? "");
  const file = textOf(get(get(store, "metadata"), "secretsFile"));
  const steps = [textOf(get(reference, "key")), textOf(get(reference, "sub_key"))];
  return mapLike(reference, { secret: scalarLike(reference, secretReference(textOf(get(store, "type")), file, steps)) });
}

function joined(host: Tree | undefined, fallback: string, port: Tree): Tree {
  return port.kind === "scalar" ? { ...port, value: `${textOf(host) || fallback}:${String(port.value)}` } : port;
}

/** Layotto's files are read without regard to the case of keys. */
function get(node: Tree | undefined, key: string): Tree | undefined {
  if (node?.kind !== "map") return undefined;
  const exact = child(node, key);
  if (exact) return exact;
  for (const [name, value] of node.entries) if (name.toLowerCase() === key.toLowerCase()) return value;
  return undefined;
}
