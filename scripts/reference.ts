// npm run reference: writes docs/configuration.md from the schemas. With --check: fails when it is not what they say.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { components } from "../src/components/registry.ts";
import { describeKeys } from "../src/config/describe.ts";
import { schema } from "../src/config/schema.ts";

const file = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));
const parts = ["# Configuration", "", "Generated from the schemas by `npm run reference`.", "", ...table(describeKeys(schema))];
for (const [type, load] of Object.entries(components)) {
  const { definition } = await load();
  parts.push(
    "",
    `## metadata of the type ${type}`,
    "",
    "`consumerID` (the group; default: the app's id), and:",
    "",
    ...table(describeKeys(definition.options)),
  );
}
const text = `${parts.join("\n")}\n`;
if (!process.argv.includes("--check")) writeFileSync(file, text);
else if (readFileSync(file, "utf8") !== text) {
  console.error("docs/configuration.md is not what the schemas say: run npm run reference");
  process.exitCode = 1;
}

function table(keys: readonly { readonly path: string; readonly text: string }[]): readonly string[] {
  return [
    "| key | meaning |",
    "|---|---|",
    ...keys.map(({ path, text: meaning }) => `| \`${path}\` | ${meaning.replaceAll("|", "\\|")} |`),
  ];
}
