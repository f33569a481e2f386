import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Answer, Request } from "./remoting.ts";

export type Fields = Readonly<Record<string, string>>;
/** A code that is not 0 is an error. */
export interface PlayedReply {
  readonly code?: number;
  readonly fields?: Fields;
  readonly body?: string;
}

/** A name server or a broker that is played: it speaks the older protocol and answers as it is told. Undefined: it never answers. */
export class PlayedRemoting {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly reply: (code: number, fields: Fields, body: string) => PlayedReply | undefined | Promise<PlayedReply>;

  constructor(answer: (code: number, fields: Fields, body: string) => PlayedReply | undefined | Promise<PlayedReply>) {
    this.reply = answer;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get place(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let got = Buffer.alloc(0);
    socket.on("close", () => this.#sockets.delete(socket));
    // Whoever asked may be gone before he is answered.
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
      while (got.length >= 4 && got.length >= 4 + got.readUInt32BE(0)) {
        const end = 4 + got.readUInt32BE(0);
        const headerEnd = 8 + (got.readUInt32BE(4) & 0xffffff);
        const { code, opaque, extFields } = JSON.parse(got.toString("utf8", 8, headerEnd));
        void this.#reply(socket, opaque, this.reply(code, extFields, got.toString("utf8", headerEnd, end)));
        got = got.subarray(end);
      }
    });
  }

  async #reply(socket: Socket, opaque: number, answered: PlayedReply | undefined | Promise<PlayedReply>): Promise<void> {
    const reply = await answered;
    if (!reply) return;
    const { code = 0, fields = {}, body = "" } = reply;
    const header = Buffer.from(JSON.stringify({ code, opaque, extFields: fields, remark: code === 0 ? null : "as played" }));
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(4 + header.length + Buffer.byteLength(body), 0);
    lengths.writeUInt32BE(header.length, 4);
    socket.write(Buffer.concat([lengths, header, Buffer.from(body)]));
  }
}

/** A name server that knows these brokers, by their places, and a route to these topics. */
export function nameServerOf(brokers: () => Readonly<Record<string, string>>, routed: () => readonly string[] = () => []): PlayedRemoting {
  return new PlayedRemoting((code, { topic = "" }) => {
    if (code === Request.topicRoute) return routed().includes(topic) ? { body: "{}" } : { code: Answer.topicNotExist };
    if (code !== Request.brokerCluster) return { code: 1 };
    const table = Object.entries(brokers()).map(([name, place]) => [name, { brokerAddrs: { 0: place } }]);
    return { body: JSON.stringify({ brokerAddrTable: Object.fromEntries(table) }) };
  });
}
