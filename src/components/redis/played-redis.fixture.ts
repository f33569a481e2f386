import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { ReplyReader } from "./resp.ts";

/** A server that answers as it is told: `answer` makes the reply, as it is on the wire, of a command. */
export interface PlayedRedis {
  readonly port: number;
  close(): void;
}

export async function playRedis(answer: (...command: readonly string[]) => string): Promise<PlayedRedis> {
  const server = createServer((socket) => {
    const reader = new ReplyReader((command) => socket.write(answer(...(command as readonly Buffer[]).map(String))));
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
