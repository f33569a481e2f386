import { connect as dial, type Socket } from "node:net";
import { Status, type UnaryHandler } from "./index.ts";
import type { Bed, TcpAddress } from "./testing.fixture.ts";

export const echo: UnaryHandler = (request, answer) => answer.respond(request);
export const UNSENT = [Status.UNAVAILABLE, "unsent"];
export const LOST = [Status.UNAVAILABLE, "connection"];

/** Resolves at the nth time that it is called. */
export function nth(times: number): { readonly reached: Promise<void>; readonly hit: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = times;
  return { reached: promise, hit: () => --left === 0 && resolve() };
}

/** Stands between a client and a server. While it is `paused` nothing gets through, and nobody is told. */
export async function proxy(bed: Bed, to: TcpAddress): Promise<{ address: TcpAddress; pause(): void; cut(): void }> {
  const pairs: [Socket, Socket][] = [];
  const { address } = await bed.tcp((socket) => {
    const onward = dial(to);
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
    pairs.push([socket, onward]);
  });
  return {
    address,
    pause() {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
      }
    },
    cut() {
      for (const [near] of pairs) near.destroy();
    },
  };
}
