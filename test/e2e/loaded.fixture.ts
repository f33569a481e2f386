// Writes down every module that a process resolves, its worker threads included.
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

const file = process.env.LOADED_MODULES ?? "";
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    appendFileSync(file, `${resolved.url}\n`);
    return resolved;
  },
});
