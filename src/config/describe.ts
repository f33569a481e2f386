import type { z } from "zod";
import { isList, keysAt, schemaAt } from "./check.ts";
import type { Path } from "./tree.ts";

/** Every key of a schema with its sentence, depth first. Keys below a name of the user's own are written `NAME`, those of a list `[]`. */
export function describeKeys(schema: z.ZodType, path: Path = []): readonly { readonly path: string; readonly text: string }[] {
  return keysAt(schema, path).flatMap((key) => {
    const here = [...path, key];
    const any = isList(schema, here) ? "[]" : "NAME";
    const below = describeKeys(schema, keysAt(schema, here).length > 0 ? here : [...here, any]);
    const text = schemaAt(schema, here)?.description;
    const own = text === undefined && below.length > 0 ? [] : [{ path: here.join(".").replaceAll(".[]", "[]"), text: text ?? "" }];
    return [...own, ...below];
  });
}
