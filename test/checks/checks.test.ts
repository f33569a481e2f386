import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PATIENCE_MS = 120_000;
let copy = "";
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "checks-"));
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);
  for (const file of files) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
});
afterEach(() => rmSync(copy, { recursive: true }));

function plant(file: string, text: string): void {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  writeFileSync(join(copy, file), text);
}

/** What a check says of the copy. It must fail. */
function found(command: string, ...args: readonly string[]): string {
  const env = { ...process.env, NO_COLOR: "1", PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: copy, encoding: "utf8", env });
  expect(status, `${stdout}${stderr}`).not.toBe(0);
  return stdout + stderr;
}

test(
  "tsc finds a wrong type, an unchecked index and syntax that cannot be erased",
  () => {
    plant(
      "src/planted.ts",
      'export const count: number = "one";\nexport const first: string = ["a"][0];\nexport enum Colour {\n  red,\n}\nexport type { count as default };\n',
    );
    const said = found("tsc", "-p", ".");
    for (const code of ["TS2322", "TS1294"]) expect(said).toContain(code);
    expect(said.match(/src\/planted\.ts\(\d,\d+\): error TS2322/g)).toHaveLength(2);
  },
  PATIENCE_MS,
);

test(
  "tsc -b finds what the SDK's oldest Node does not have",
  () => {
    plant("sdk/src/planted.ts", "export const one = Promise.withResolvers<void>();\n");
    expect(found("tsc", "-b", "tsconfig.build.json")).toMatch(/sdk\/src\/planted\.ts\(1,\d+\): error TS2550/);
  },
  PATIENCE_MS,
);

test(
  "biome finds a fault, and text that is not formatted",
  () => {
    plant("src/planted.ts", "export function planted(x: any): any { debugger; return x == 1 }\n");
    const said = found("biome", "ci", ".");
    for (const rule of ["noExplicitAny", "noDebugger", "noDoubleEquals", "format"]) expect(said).toContain(rule);
  },
  PATIENCE_MS,
);

test(
  "dependency-cruiser finds a breach of each of its rules",
  () => {
    plant("transport/src/planted.ts", 'import "../../src/index.ts";\n');
    plant("src/engine/planted.ts", 'import "../config/load.ts";\n');
    plant("src/api/planted.ts", 'import "../app/grpc-channel.ts";\n');
    plant("src/planted.ts", 'import "@grpc/grpc-js";\n');
    plant("sdk/src/planted.ts", 'import "vitest";\n');
    plant("src/circle.ts", 'import { b } from "./turn.ts";\n\nexport const a = () => b;\n');
    plant("src/turn.ts", 'import { a } from "./circle.ts";\n\nexport const b = () => a;\n');
    const said = found("depcruise", "src", "sdk/src", "transport/src", "--config", ".dependency-cruiser.mjs");
    const broken = [...said.matchAll(/^ *error ([\w-]+): (\S+)/gm)].map(([, rule, from]) => `${rule}: ${from}`);
    for (const breach of [
      "transport-stands-alone: transport/src/planted.ts",
      "engine-is-closed: src/engine/planted.ts",
      "ways-are-apart: src/api/planted.ts",
      "grpc-js-is-for-tests: src/planted.ts",
      "declared-dependencies: sdk/src/planted.ts",
    ])
      expect(broken).toContain(breach);
    expect(said).toMatch(/error no-circular: src\/(circle|turn)\.ts/);
  },
  PATIENCE_MS,
);

test(
  "knip finds what nobody uses, and what nobody declared",
  () => {
    plant("src/planted.ts", "export const unused = 1;\n");
    appendFileSync(join(copy, "src/engine/budget.ts"), '\nimport "left-pad";\nexport const unusedExport = 1;\n');
    const said = found("knip");
    expect(said).toMatch(/Unused files \(1\)\nsrc\/planted\.ts/);
    for (const one of ["unusedExport", "Unlisted dependencies (1)\nleft-pad"]) expect(said).toContain(one);
  },
  PATIENCE_MS,
);

test(
  "a .proto file that breaks the rules, and generated code that is not what the .proto files say, are found",
  () => {
    plant(
      "proto/spec/proto/planted/v1/planted.proto",
      'syntax = "proto3";\npackage planted.v1;\nmessage lower_case { int32 CamelCase = 1; }\n',
    );
    expect(found("buf", "lint")).toMatch(/planted\.proto:\d+:\d+:/);
    rmSync(join(copy, "proto/spec/proto/planted"), { recursive: true });
    const generated = "proto/gen/spec/proto/runtime/v1/runtime_pb.ts";
    appendFileSync(join(copy, generated), "// by hand\n");
    const git = (...args: readonly string[]) => execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: copy });
    git("init", "-q");
    git("add", "proto");
    git("commit", "-qm", "planted");
    expect(found("npm", "run", "--silent", "check:gen")).toContain("-// by hand");
  },
  PATIENCE_MS,
);

test(
  "a page of the reference that is not what the sources say is found",
  () => {
    appendFileSync(join(copy, "docs/errors.md"), "\n");
    appendFileSync(join(copy, "schema/layotto.schema.json"), "\n");
    const said = found(process.execPath, "scripts/reference.ts", "--check");
    expect(said).toBe(
      "docs/errors.md is not what the sources say: run npm run reference\nschema/layotto.schema.json is not what the sources say: run npm run reference\n",
    );
  },
  PATIENCE_MS,
);
