import { type ServerStream, streaming } from "./index.ts";

export const MIB = 2 ** 20;
/** Both windows and the socket buffers of both ends are far smaller. */
export const PLENTY = 64;
export const CHUNK = 256 * 1024;

/** Sends each message back. */
export const echo = streaming((call) => ({ message: (message) => void call.send(message), end: () => call.end() }));

/** A handler whose call the test works on by hand. */
export function byHand(): {
  opened: Promise<ServerStream>;
  handler: ReturnType<typeof streaming>;
  received: Uint8Array[];
  ended: Promise<void>;
} {
  const opened = Promise.withResolvers<ServerStream>();
  const ended = Promise.withResolvers<void>();
  const received: Uint8Array[] = [];
  const handler = streaming((call) => {
    opened.resolve(call);
    return { message: (message) => void received.push(message), end: ended.resolve };
  });
  return { opened: opened.promise, handler, received, ended: ended.promise };
}
