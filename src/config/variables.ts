import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { placeOf, type ScalarNode, type Tree } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const NAME = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/** `${NAME}`, `${NAME:-default}` (also when it is set but empty), and `$${` for the text `${` itself. In values, never in keys. */
export function fillIn(node: Tree, env: Environment, problems: ConfigProblem[]): Tree {
  if (node.kind === "map") return { ...node, entries: new Map([...node.entries].map(([key, one]) => [key, fillIn(one, env, problems)])) };
  if (node.kind === "list") return { ...node, items: node.items.map((one) => fillIn(one, env, problems)) };
  return typeof node.value === "string" && node.value.includes("${") ? fillScalar(node, node.value, env, problems) : node;
}

function fillScalar(node: ScalarNode, text: string, env: Environment, problems: ConfigProblem[]): ScalarNode {
  let filled = false;
  const before = problems.length;
  const value = text.replace(REFERENCE, (reference, body?: string) => {
    if (reference === "$${") return "${";
    filled = true;
    const [, name, fallback] = NAME.exec(body ?? "") ?? [];
    if (name === undefined) {
      problems.push(problem("CONFIG_VARIABLE_SYNTAX", placeOf(node), {}, "${NAME} or ${NAME:-default}; the text ${ itself is written $${"));
      return "";
    }
    const set = Object.hasOwn(env, name) ? env[name] : undefined;
    if (fallback !== undefined) return set || fallback;
    if (set === undefined) {
      const expected = `a value for it in the environment, or a default: \${${name}:-default}`;
      problems.push(problem("CONFIG_VARIABLE_UNSET", placeOf(node), { name }, expected));
    }
    return set ?? "";
  });
  if (problems.length > before) return { ...node, value: null, broken: true };
  return { ...node, value, ...(filled ? { from: "variable" as const } : {}) };
}
