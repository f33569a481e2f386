import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { ErrorCode } from "../../errors/code.ts";
import { abortError } from "../../pubsub/abort.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { HostPort } from "./config.ts";
import type { Credentials } from "./signature.ts";

/** The requests of RocketMQ's older protocol that are used here, by their numbers. */
export const Request = {
  queryConsumerOffset: 14,
  updateConsumerOffset: 15,
  updateTopic: 17,
  brokerConfig: 26,
  maxOffset: 30,
  minOffset: 31,
  offsetByTime: 29,
  topicRoute: 105,
  brokerCluster: 106,
  updateGroup: 200,
  allGroups: 201,
  consumeStats: 208,
  topicConfig: 351,
} as const;

/** What servers answer when there is no such thing. */
export const Answer = { topicNotExist: 17, noOffset: 22, groupNotExist: 26 } as const;

const NUMBER_BYTES = 4;
const HEADER_BYTES = 0xffffff;
const MOST_BYTES = 64 * 2 ** 20;
/** The first byte of a header's length says how it is written. */
const JSON_HEADER = 0;
const CODES: Readonly<Record<number, ErrorCode>> = {
  16: "permission_denied",
  [Answer.topicNotExist]: "not_found",
  [Answer.noOffset]: "not_found",
  [Answer.groupNotExist]: "not_found",
};

export class RemotingError extends PubSubError {
  readonly answer: number;

  constructor(doing: string, answer: number, remark: string) {
    super(CODES[answer] ?? "internal", `${doing}: ${remark || `code ${answer}`}`);
    this.answer = answer;
  }
}

interface Header {
  readonly code: number;
  readonly opaque: number;
  readonly remark?: string;
  readonly extFields?: Readonly<Record<string, string>>;
}

export interface Reply {
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Asked {
  readonly doing: string;
  resolve(reply: Reply): void;
  reject(error: PubSubError): void;
}

/**
 * A connection in RocketMQ's older protocol, for what the newer one cannot do: topics, groups and offsets. A frame is its length, the length of a
 * header in JSON, that header, and a body.
 */
export class Remoting {
  readonly #place: string;
  readonly #socket: Socket;
  readonly #credentials: Credentials | undefined;
  readonly #asked = new Map<number, Asked>();
  #opaque = 0;
  #got: Buffer = Buffer.alloc(0);
  #failed: PubSubError | undefined;

  constructor({ host, port }: HostPort, credentials: Credentials | undefined) {
    this.#place = `${host}:${port}`;
    this.#credentials = credentials;
    this.#socket = connect(port, host);
    this.#socket.setNoDelay(true);
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#fail("the connection was closed"));
    this.#socket.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  /** Rejects with a PubSubError: what the server answers with an error is a RemotingError. */
  request(code: number, fields: Readonly<Record<string, string>>, body = ""): Promise<Reply> {
    const doing = `${nameOf(code)} at ${this.#place}`;
    return new Promise((resolve, reject) => {
      if (this.#failed) {
        reject(this.#failed);
        return;
      }
      this.#opaque += 1;
      this.#asked.set(this.#opaque, { doing, resolve, reject });
      this.#socket.write(frame(code, this.#opaque, signedFields(fields, body, this.#credentials), body));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** What is under way fails. */
  abort(error: PubSubError): void {
    this.#failed ??= error;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.#socket.destroy();
  }

  #fail(why: string): void {
    this.abort(new PubSubError("unavailable", `the server at ${this.#place} cannot be asked: ${why}`, { outcome: "unknown" }));
  }

  #read(bytes: Buffer): void {
    this.#got = this.#got.length === 0 ? bytes : Buffer.concat([this.#got, bytes]);
    while (this.#got.length >= NUMBER_BYTES) {
      const end = NUMBER_BYTES + this.#got.readUInt32BE(0);
      if (end > MOST_BYTES) {
        this.#fail(`an answer of ${end} bytes`);
        return;
      }
      if (this.#got.length < end) return;
      const headerEnd = 2 * NUMBER_BYTES + (this.#got.readUInt32BE(NUMBER_BYTES) & HEADER_BYTES);
      const header = this.#got[NUMBER_BYTES] === JSON_HEADER ? parsed(this.#got.toString("utf8", 2 * NUMBER_BYTES, headerEnd)) : undefined;
      if (header === undefined) {
        this.#fail("its answers have no header in JSON (is ROCKETMQ_SERIALIZE_TYPE set there?)");
        return;
      }
      const body = this.#got.toString("utf8", headerEnd, end);
      this.#got = this.#got.subarray(end);
      const asked = this.#asked.get(header.opaque);
      this.#asked.delete(header.opaque);
      if (header.code === 0) asked?.resolve({ fields: header.extFields ?? {}, body });
      else asked?.reject(new RemotingError(asked.doing, header.code, header.remark ?? ""));
    }
  }
}

/** Does something with a connection that ends with it, or with `signal`. */
export async function withRemoting<T>(
  place: HostPort,
  credentials: Credentials | undefined,
  signal: AbortSignal,
  work: (remoting: Remoting) => Promise<T>,
): Promise<T> {
  const doing = `asking the server at ${place.host}:${place.port}`;
  if (signal.aborted) throw abortError(doing, signal, "rejected");
  const remoting = new Remoting(place, credentials);
  const aborted = (): void => remoting.abort(abortError(doing, signal, "unknown"));
  signal.addEventListener("abort", aborted, { once: true });
  try {
    return await work(remoting);
  } finally {
    signal.removeEventListener("abort", aborted);
    remoting.close();
  }
}

/** The body of an answer. Undefined: what was asked for is not there, which the server says with the code `missing`. */
export async function unlessMissing(asked: Promise<Reply>, missing: number): Promise<string | undefined> {
  try {
    return (await asked).body;
  } catch (error) {
    if (error instanceof RemotingError && error.answer === missing) return undefined;
    throw error;
  }
}

/** RocketMQ writes maps whose keys are numbers without quotes. Throws a PubSubError when it is no JSON all the same. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/([{,])\s*(-?\d+)\s*:/g, '$1"$2":'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new PubSubError("internal", `a server of RocketMQ answers with what is no JSON: ${error.message}`);
  }
}

/** Undefined: it is no header. */
function parsed(text: string): Header | undefined {
  try {
    const header: unknown = JSON.parse(text);
    return typeof header === "object" && header !== null && "opaque" in header && "code" in header ? (header as Header) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function frame(code: number, opaque: number, extFields: Readonly<Record<string, string>>, body: string): Buffer {
  const rest = { language: "OTHER", version: 0, opaque, flag: 0, serializeTypeCurrentRPC: "JSON" };
  const header = Buffer.from(JSON.stringify({ code, ...rest, extFields }));
  const data = Buffer.from(body);
  const lengths = Buffer.alloc(2 * NUMBER_BYTES);
  lengths.writeUInt32BE(NUMBER_BYTES + header.length + data.length, 0);
  lengths.writeUInt32BE(header.length, NUMBER_BYTES);
  return Buffer.concat([lengths, header, data]);
}

/** What is signed are the values of all fields, in the order of their names, and the body. */
function signedFields(
  fields: Readonly<Record<string, string>>,
  body: string,
  credentials: Credentials | undefined,
): Readonly<Record<string, string>> {
  if (!credentials) return fields;
  const { accessKey, secretKey, securityToken } = credentials;
  const all: Record<string, string> = { ...fields, AccessKey: accessKey, ...(securityToken && { SecurityToken: securityToken }) };
  const values = Object.keys(all)
    .sort()
    .map((name) => all[name]);
  return {
    ...all,
    Signature: createHmac("sha1", secretKey)
      .update(values.join("") + body)
      .digest("base64"),
  };
}

const nameOf = (code: number): string => Object.entries(Request).find(([, number]) => number === code)?.[0] ?? `request ${code}`;
