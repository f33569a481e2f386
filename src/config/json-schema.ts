import { z } from "zod";
import { components } from "../components/registry.ts";
import { schema } from "./schema.ts";

interface JsonObject {
  [key: string]: unknown;
  properties?: Record<string, JsonObject>;
  additionalProperties?: JsonObject | boolean;
}

/** A secret in place of a value of `metadata`. */
const SECRET: JsonObject = {
  type: "object",
  description: "The value is taken from there: env:NAME, file:PATH or json:PATH#KEY/KEY.",
  properties: { secret: { type: "string" } },
  required: ["secret"],
  additionalProperties: false,
};

/** The JSON Schema (draft 7, which editors know best) of our own form, with the `metadata` of every component type. */
export async function jsonSchema(): Promise<JsonObject> {
  const root = shape(schema);
  const types: JsonObject[] = [];
  for (const [type, load] of Object.entries(components)) {
    const { definition } = await load();
    types.push({
      if: { properties: { type: { const: type } } },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own word
      then: { properties: { metadata: metadata(shape(definition.options)) } },
    });
  }
  const pubsub = root.properties?.pubsubs?.additionalProperties;
  if (typeof pubsub !== "object") throw new TypeError("the schema has no pubsubs");
  pubsub.properties = { ...pubsub.properties, type: { description: pubsub.properties?.type?.description, enum: Object.keys(components) } };
  pubsub.allOf = types;
  return { ...root, title: "Layotto in TypeScript: configuration" };
}

function metadata(options: JsonObject): JsonObject {
  const entries = Object.entries(options.properties ?? {}).map(([key, { description, default: fallback, ...value }]) => {
    const shown = { ...(description === undefined ? {} : { description }), ...(fallback === undefined ? {} : { default: fallback }) };
    return [key, { ...shown, anyOf: [value, SECRET] }];
  });
  const group = { description: "The group. Default: the app's id.", type: ["string", "number"] };
  const { $schema: _, ...shown } = options;
  return { ...shown, properties: { consumerID: group, ...Object.fromEntries(entries) } };
}

function shape(type: z.ZodType): JsonObject {
  return z.toJSONSchema(type, {
    io: "input",
    target: "draft-7",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema: json }) {
      delete json.written;
      // That a group of keys may be left out needs no example.
      if (JSON.stringify(json.default) === "{}") delete json.default;
      const written = z.globalRegistry.get(zodSchema)?.written;
      if (typeof written !== "object" || written === null || "anyOf" in json) return;
      for (const key of Object.keys(json)) if (key !== "description" && key !== "default") delete json[key];
      Object.assign(json, written);
    },
  }) as JsonObject;
}
