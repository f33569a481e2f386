/** What of a decoded header list HTTP/2 itself cares for, RFC 9113 section 8. It may be shared by many streams: it never changes. */
export class FieldSection {
  /** Flat: name, value, name, value. One char a byte. */
  readonly fields: readonly string[];
  /** It was larger than what we announced; `fields` has its beginning. */
  readonly tooLarge: boolean;
  readonly method: string | undefined;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  readonly status: string | undefined;
  /** The head of an answer that is not the answer yet: 1xx (RFC 9110 section 15.2). */
  readonly interim: boolean;
  /** Where the fields without a colon begin. */
  readonly regular: number;
  /** -1: not given. */
  readonly contentLength: number;
  /** What makes it malformed whatever it is (section 8.2, 8.3); undefined: nothing. */
  readonly fault: string | undefined;

  constructor(fields: readonly string[], tooLarge: boolean) {
    this.fields = fields;
    this.tooLarge = tooLarge;
    let method: string | undefined;
    let scheme: string | undefined;
    let authority: string | undefined;
    let path: string | undefined;
    let status: string | undefined;
    let fault: string | undefined;
    let contentLength = -1;
    let at = 0;
    for (; at < fields.length; at += 2) {
      const name = fields[at] as string;
      if (name.charCodeAt(0) !== COLON) break;
      const value = fields[at + 1] as string;
      let before: string | undefined;
      if (name === ":path") [before, path] = [path, value];
      else if (name === ":method") [before, method] = [method, value];
      else if (name === ":scheme") [before, scheme] = [scheme, value];
      else if (name === ":authority") [before, authority] = [authority, value];
      else if (name === ":status") [before, status] = [status, value];
      else fault ??= `the pseudo-header field ${name} is not known`;
      if (before !== undefined) fault ??= `the pseudo-header field ${name} comes twice`;
      if (!isValue(value)) fault ??= `the value of ${name} has a character that is not allowed`;
    }
    this.regular = at;
    for (; at < fields.length; at += 2) {
      const name = fields[at] as string;
      const value = fields[at + 1] as string;
      if (!USUAL.has(name)) {
        if (FORBIDDEN.has(name)) fault ??= `the field ${name} is of the connection, and not allowed`;
        else if (!NAME.test(name)) fault ??= `the field name ${JSON.stringify(name)} is not allowed here`;
      }
      if (name === "te" && value !== "trailers") fault ??= "the field te may only say trailers";
      else if (name === "content-length") {
        const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(length) || (contentLength !== -1 && contentLength !== length))
          fault ??= "the field content-length is not one number";
        else contentLength = length;
      }
      // gRPC's own text may begin and end with a blank ("Status-Message" in its HTTP/2 protocol), and servers send it so.
      if (name === "grpc-message" ? hasBreak(value) : !isValue(value)) fault ??= `the value of ${name} has a character that is not allowed`;
    }
    this.method = method;
    this.scheme = scheme;
    this.authority = authority;
    this.path = path;
    this.status = status;
    this.interim = status?.startsWith("1") ?? false;
    this.contentLength = contentLength;
    this.fault = fault;
  }

  /** What makes it malformed as a request (section 8.3.1). */
  get requestFault(): string | undefined {
    if (this.fault !== undefined || this.tooLarge) return this.fault;
    if (this.status !== undefined) return "a request has the pseudo-header field :status";
    if (this.method === undefined) return "a request lacks the pseudo-header field :method";
    if (this.method === "CONNECT") {
      return this.scheme === undefined && this.path === undefined && this.authority
        ? undefined
        : "a CONNECT request has the wrong pseudo-header fields";
    }
    if (this.scheme === undefined) return "a request lacks the pseudo-header field :scheme";
    return this.path ? undefined : "a request lacks the pseudo-header field :path";
  }

  /** What makes it malformed as a response (section 8.3.2). */
  get responseFault(): string | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.status !== "200" && !/^[1-5]\d\d$/.test(this.status ?? "")) return "a response lacks a valid :status";
    return this.regular === 2 ? undefined : "a response has pseudo-header fields of a request";
  }

  /** What makes it malformed as trailers (section 8.1). */
  get trailersFault(): string | undefined {
    return this.fault ?? (this.regular === 0 ? undefined : "trailers have a pseudo-header field");
  }
}

const COLON = 0x3a;
/** Lower case (section 8.2.1), without a colon: a token of RFC 9110. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Section 8.2.2. */
const FORBIDDEN: ReadonlySet<string> = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);
/** Names that need no look. */
const USUAL: ReadonlySet<string> = new Set([
  "content-type",
  "user-agent",
  "te",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-status",
  "grpc-message",
  "accept-encoding",
]);

/** No NUL, CR or LF, and no blank at either end (section 8.2.1). */
function isValue(value: string): boolean {
  return value === "" || !(hasBreak(value) || isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)));
}

function hasBreak(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const char = value.charCodeAt(at);
    if (char <= 13 && (char === 0 || char === 10 || char === 13)) return true;
  }
  return false;
}

function isBlank(char: number): boolean {
  return char === 0x20 || char === 0x09;
}
