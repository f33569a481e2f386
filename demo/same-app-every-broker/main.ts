// npm run demo -- --help
import { parseArgs } from "node:util";
import { BROKERS } from "../../test/faults/brokers/index.ts";
import { Stage } from "../../test/faults/stage.ts";
import { onBroker } from "./on-broker.ts";

if (parseArgs({ options: { help: { type: "boolean", short: "h" } } }).values.help) {
  console.log(`npm run demo: the quick start's subscriber and publisher on every broker that can be had here, by changing the configuration alone.
It prints a table of what arrived, and ends with 1 if anything is missing, out of order or wrongly dead-lettered.`);
  process.exit();
}

const HEAD = ["broker", "published", "delivered", "in order per key", "retried", "dead-lettered"];
const rows: (readonly (string | number)[])[] = [];
for (const broker of BROKERS) {
  const missing = broker.unavailable() ?? broker.gaps.ordered;
  if (missing !== undefined) {
    console.error(`${broker.name}: left out, since ${missing}`);
    continue;
  }
  console.error(`${broker.name} …`);
  const stage = await Stage.open(broker);
  try {
    const { published, delivered, inOrder, retried, deadLettered, problems } = await onBroker(stage.server.component(stage.port));
    rows.push([broker.name, published, delivered, inOrder ? "yes" : "no", retried, deadLettered]);
    for (const problem of problems) console.error(`${broker.name}: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
  } finally {
    await stage.close();
  }
}
const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => String(row[column]).length)));
for (const row of [HEAD, ...rows])
  console.log(
    row
      .map((cell, column) => String(cell).padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
