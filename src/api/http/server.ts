import type { IncomingMessage, Server } from "node:http";
import { type Address, listenOn } from "layotto-transport";

// An import would load all that the module offers, a WebSocket client and HTTP/2 among it: five megabytes.
const { createServer } = process.getBuiltinModule("node:http");

/** What a route answers: JSON, or a text of another type. Neither: an empty body. */
interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  /** Default: `application/json`. */
  readonly contentType?: string;
}

/** By method and path: `GET /actuator/info`. `body` is the request's, as text. What it throws is answered with 500. */
export type Routes = Readonly<Record<string, (body: string) => Answer | Promise<Answer>>>;

export interface HttpServer {
  /** Where it really listens: port 0 has become a number. */
  readonly address: Address;
  close(): Promise<void>;
}

/** Health and commands are small. */
const MOST_BODY_BYTES = 64 * 1024;

/** Serves the routes; any other path is 404 with an empty body. Rejects with a `ListenError` when the address cannot be had. */
export async function serveHttp(address: Address, routes: Routes): Promise<HttpServer> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    void body(request)
      .then((text): Answer | Promise<Answer> => (text === undefined ? { status: 413 } : route(routes, request, text)))
      // Whoever asks how we are must not be able to end us.
      .catch((error: unknown): Answer => ({ status: 500, json: { error: error instanceof Error ? error.message : String(error) } }))
      .then(({ status, json, text = json === undefined ? "" : JSON.stringify(json), contentType = "application/json" }) => {
        response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
        response.end(text);
      });
  });
  return { address: await listenOn(server, address), close: () => close(server) };
}

function route(routes: Routes, request: IncomingMessage, text: string): Answer | Promise<Answer> {
  const [path] = (request.url ?? "").split("?", 1);
  return routes[`${request.method} ${path}`]?.(text) ?? { status: 404 };
}

/** Undefined when it is too large, or breaks off. */
async function body(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_BODY_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined; // the client has gone: whatever is answered, nobody reads it
  }
  return Buffer.concat(chunks).toString();
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
