import { parseArgs } from "node:util";
import { listen } from "layotto-transport";
import { testService } from "./test-service.ts";

// A process of its own, so that the timing of the clients under test is theirs alone. Prints its port; SIGTERM ends it.

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" } } });
const { cert, key } = values;
const tls = cert !== undefined && key !== undefined ? { tls: { cert, key } } : {};
const server = await listen({ host: "127.0.0.1", port: 0 }, { handlers: testService(), ...tls });
process.once("SIGTERM", () => void server.close(AbortSignal.abort()));
if ("port" in server.address) console.log(JSON.stringify({ port: server.address.port }));
