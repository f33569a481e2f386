let loaded: typeof import("node:crypto") | undefined;

/** Node's cryptography, loaded when it is first needed: it takes a twentieth of the start. */
export function crypto(): typeof import("node:crypto") {
  loaded ??= process.getBuiltinModule("node:crypto");
  return loaded;
}
