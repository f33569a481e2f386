// npm run demo: the quick start's subscriber and publisher on every broker that can be had here, by changing the configuration alone.
import { BROKERS } from "../../test/faults/brokers/index.ts";
import { onBroker } from "./on-broker.ts";

const HEAD = ["broker", "published", "delivered", "in order per key", "retried", "dead-lettered"];
const rows: (readonly (string | number)[])[] = [];
for (const broker of BROKERS) {
  const missing = broker.unavailable();
  if (missing !== undefined) {
    console.error(`${broker.name}: left out, since ${missing}`);
    continue;
  }
  console.error(`${broker.name} …`);
  const server = await broker.start();
  try {
    const { published, delivered, inOrder, retried, deadLettered, problems } = await onBroker(server.component(server.process?.port ?? 0));
    rows.push([broker.name, published, delivered, inOrder ? "yes" : "no", retried, deadLettered]);
    for (const problem of problems) console.error(`${broker.name}: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
  } finally {
    await server.stop();
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
