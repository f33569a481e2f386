import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Program } from "../e2e/program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const slips = join(root, "test/five-steps/slips");
const programs: Program[] = [];
/** A copy of the project, in which the steps are followed. */
let project = "";
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "five-steps-"));
  for (const name of ["package.json", "src"]) cpSync(join(root, name), join(project, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "junction");
});
afterAll(async () => {
  for (const program of programs) {
    program.kill();
    await program.ended();
  }
  rmSync(project, { recursive: true });
});

function run(script: string, ...args: readonly string[]): Program {
  const program = new Program(script, args, {}, process.execPath);
  programs.push(program);
  return program;
}

/** What CONTRIBUTING.md says of each step. */
const [, section = ""] = readFileSync(join(root, "CONTRIBUTING.md"), "utf8").split("## Add a broker in five steps\n");
const steps = [...(section.split("\n## ")[0] ?? "").matchAll(/^\d\. (.+(?:\n {3}.+)*)/gm)].map(([, step = ""]) => step);

test("CONTRIBUTING's five steps, followed one after the other, make a broker that the sidecar runs", async () => {
  expect(steps).toHaveLength(5);
  const [definition, options, contract, registered, described] = steps;
  const folder = join(project, "src/components/slips");
  const take = (file: string, as = file) => cpSync(join(slips, file), join(folder, as));

  expect(definition).toContain("`src/components/NAME/index.ts`");
  expect(options).toContain("`config.ts`");
  expect(contract).toContain("`PubSub`");
  mkdirSync(folder);
  take("index.ts");
  take("config.ts");

  expect(registered).toContain("Add a line to `src/components/registry.ts`, and a `conformance.test.ts`");
  const registry = join(project, "src/components/registry.ts");
  const before = readFileSync(registry, "utf8");
  const after = before.replace(/^};$/m, '  slips: () => import("./slips/index.ts"),\n};');
  expect(after).not.toBe(before);
  writeFileSync(registry, after);
  take("conformance.ts", "conformance.test.ts");

  expect(described).toContain("`README.md`");
  take("README.md");
  const headings = (file: string) => readFileSync(file, "utf8").match(/^## .+$/gm);
  expect(headings(join(folder, "README.md"))).toEqual(headings(join(root, "src/components/in-memory/README.md")));

  const suite = run("--test", join(folder, "conformance.test.ts"));
  expect(await suite.ended(), suite.stdout).toBe(0);
  expect(suite.stdout).toMatch(/pass [23]\d\n/);

  const config = join(project, "layotto.yaml");
  writeFileSync(config, "pubsubs: { drawers: { type: slips, metadata: { mostMessages: 1 } } }\npublish: { timeout: 1s }\n");
  const main = join(project, "src/main.ts");
  const sidecar = run(main, "start", "-c", config, "--grpc-port", "0", "--http-port", "0", "--metrics-port", "0", "--data-dir", project);
  await sidecar.printed("layotto is ready");
  const [, address = ""] = /"grpc":\["([^"]+)"\]/.exec(sidecar.stdout) ?? [];
  const publish = () => run(main, "publish", "drawers", "topic1", "value1", "-a", address, "--timeout", "20");
  expect(await publish().ended()).toBe(0);
  const refused = publish();
  expect(await refused.ended()).toBe(1);
  expect(refused.stderr).toContain("the drawer is full");
}, 60_000);
