import { parseAddress } from "layotto-transport";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import type { Settings } from "./schema.ts";
import { nearestNode, placeOf, type Tree } from "./tree.ts";

/** Two listeners cannot have one address. Port 0 is any free port, so it is nobody's. */
export function checkAddresses({ listen }: Settings, tree: Tree, problems: ConfigProblem[]): void {
  const taken = new Map<string, string>();
  const listeners = [
    ...listen.grpc.map((address, index) => [listen.grpc.length === 1 ? ["listen", "grpc"] : ["listen", "grpc", index], address] as const),
    [["listen", "http"], listen.http] as const,
    [["listen", "metrics"], listen.metrics] as const,
  ];
  for (const [path, address] of listeners) {
    const parsed = parseAddress(address);
    if (!parsed || ("port" in parsed && parsed.port === 0)) continue;
    const other = taken.get(address);
    const name = path.join(".");
    if (other === undefined) taken.set(address, name);
    else {
      const { node, missing } = nearestNode(tree, path);
      problems.push(problem("CONFIG_ADDRESS_TWICE", placeOf(node, missing), { address, other }, "an address that no other listener has"));
    }
  }
}
