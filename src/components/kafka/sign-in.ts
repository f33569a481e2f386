import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import { promisify } from "node:util";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { reasonOf } from "../reason.ts";
import type { KafkaOptions } from "./config.ts";
import type { Connection } from "./connection.ts";
import { ensureNone } from "./errors.ts";
import { saslAuthenticate, saslHandshake } from "./wire/cluster-apis.ts";

const derive = promisify(pbkdf2);
const LEAST_ROUNDS = 4_096;
/** More would keep us busy for seconds. */
const MOST_ROUNDS = 1_000_000;
const MOST_TOKEN_BYTES = 65_536;
/** How long a token holds whose endpoint does not say. */
const TOKEN_SECONDS = 60;

/** Signs a new connection in, as the options say. */
export class SignIn {
  readonly #options: KafkaOptions;
  readonly #clock: Clock;
  /** Until when, by the monotonic clock, it is used without asking for another, and until when it holds. */
  #token: { readonly text: string; readonly until: number; readonly holdsUntil: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(options: KafkaOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Resolves to how long it holds, in milliseconds; 0: for ever. */
  async on(connection: Connection): Promise<number> {
    const { authType, saslMechanism } = this.#options;
    if (authType !== "password" && authType !== "oidc") return 0;
    const mechanism = authType === "oidc" ? "OAUTHBEARER" : saslMechanism.replace(/^SHA-/, "SCRAM-SHA-");
    const { error, mechanisms } = await connection.call(saslHandshake, mechanism, this.#options.readTimeout);
    if (error !== 0) {
      throw new PubSubError(
        "unauthenticated",
        `${connection.where}: sign-in by ${mechanism} is not offered, only by ${mechanisms.join(", ")}`,
      );
    }
    if (mechanism === "OAUTHBEARER") return this.#bearer(connection);
    const { saslUsername = "", saslPassword = "" } = this.#options;
    if (mechanism === "PLAIN") return (await this.#say(connection, `\0${saslUsername}\0${saslPassword}`)).lifetimeMs;
    return this.#scram(connection, mechanism === "SCRAM-SHA-256" ? "sha256" : "sha512", saslUsername, saslPassword);
  }

  async #say(connection: Connection, text: string): Promise<{ readonly text: string; readonly lifetimeMs: number }> {
    const answer = await connection.call(saslAuthenticate, Buffer.from(text), this.#options.readTimeout);
    ensureNone(connection.where, answer.error, answer.message);
    return { text: answer.bytes.toString(), lifetimeMs: answer.lifetimeMs };
  }

  /** RFC 5802. */
  async #scram(connection: Connection, hash: "sha256" | "sha512", user: string, password: string): Promise<number> {
    const nonce = randomBytes(24).toString("base64url");
    const bare = `n=${user.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
    const challenge = (await this.#say(connection, `n,,${bare}`)).text;
    const { r: joined = "", s: salt = "", i: rounds = "" } = fieldsOf(challenge);
    if (!joined.startsWith(nonce) || joined === nonce || salt === "" || !areRounds(Number(rounds))) {
      throw new PubSubError("unauthenticated", `${connection.where}: its answer to the sign-in is not one of SCRAM`);
    }
    const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
    const salted = await derive(password.normalize("NFKC"), Buffer.from(salt, "base64"), Number(rounds), hash === "sha256" ? 32 : 64, hash);
    const clientKey = hmac(salted, "Client Key");
    const stored = createHash(hash).update(clientKey).digest();
    const last = `c=biws,r=${joined}`;
    const signed = `${bare},${challenge},${last}`;
    const signature = hmac(stored, signed);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    const { text, lifetimeMs } = await this.#say(connection, `${last},p=${proof.toString("base64")}`);
    if (fieldsOf(text).v !== hmac(hmac(salted, "Server Key"), signed).toString("base64")) {
      throw new PubSubError("unauthenticated", `${connection.where}: it does not know the password either`);
    }
    return lifetimeMs;
  }

  async #bearer(connection: Connection): Promise<number> {
    const token = await this.#fresh();
    const extensions = Object.entries(this.#options.extensions as Readonly<Record<string, string>>);
    const fields = [`auth=Bearer ${token}`, ...extensions.map(([name, value]) => `${name}=${value}`)];
    try {
      const { text, lifetimeMs } = await this.#say(connection, `n,,\x01${fields.join("\x01")}\x01\x01`);
      // Without an error of the protocol, a refusal is what stands here (RFC 7628, 3.2.2).
      if (text !== "") throw new PubSubError("unauthenticated", `${connection.where}: the token is refused: ${text}`);
      return lifetimeMs;
    } catch (error) {
      if (error instanceof PubSubError && error.code === "unauthenticated" && this.#token?.text === token) this.#token = undefined;
      throw error;
    }
  }

  /** A token that holds for a while yet; while the endpoint gives none, one that holds at all. */
  async #fresh(): Promise<string> {
    const known = this.#token;
    if (known && known.until > this.#clock.elapsed()) return known.text;
    // All connections are made anew in the same moment.
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    try {
      return await this.#asking;
    } catch (error) {
      if (known === undefined || known !== this.#token || known.holdsUntil <= this.#clock.elapsed()) throw error;
      return known.text;
    }
  }

  async #ask(): Promise<string> {
    const { oidcTokenEndpoint = "", oidcClientID = "", oidcClientSecret = "", oidcScopes } = this.#options;
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: oidcClientID,
      client_secret: oidcClientSecret,
      scope: oidcScopes.split(",").join(" "),
    });
    const { access_token: text, expires_in: seconds } = fieldsIn(await this.#post(oidcTokenEndpoint, form.toString()));
    if (typeof text !== "string" || text === "") {
      throw new PubSubError("unauthenticated", `${oidcTokenEndpoint} answered without access_token`);
    }
    const holdsMs = (Number(seconds) > 0 ? Number(seconds) : TOKEN_SECONDS) * 1_000;
    const now = this.#clock.elapsed();
    this.#token = { text, until: now + (holdsMs * 4) / 5, holdsUntil: now + holdsMs };
    return text;
  }

  async #post(url: string, form: string): Promise<string> {
    const { readTimeout } = this.#options;
    const late = new AbortController();
    const { signal } = late;
    const cancel = this.#clock.after(readTimeout, () => late.abort());
    const headers = { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(form) };
    try {
      // Loaded when it is needed: most sign in without tokens.
      const { request } = process.getBuiltinModule(new URL(url).protocol === "https:" ? "node:https" : "node:http");
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        request(url, { method: "POST", headers, signal, ...this.#trust() }, resolve)
          .on("error", reject)
          .end(form);
      });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MOST_TOKEN_BYTES) throw new Error(`its answer has more than ${MOST_TOKEN_BYTES} bytes`);
        chunks.push(chunk);
      }
      const { statusCode = 0 } = answer;
      if (statusCode >= 200 && statusCode < 300) return Buffer.concat(chunks).toString();
      throw new PubSubError("unauthenticated", `${url} answered ${statusCode} instead of a token`);
    } catch (error) {
      if (error instanceof PubSubError) throw error;
      const why = signal.aborted ? `no answer in ${readTimeout} ms` : reasonOf(error as Error);
      throw new PubSubError("unavailable", `${url} gives no token: ${why}`);
    } finally {
      cancel();
    }
  }

  /** As Dapr: whom we trust for the brokers we trust for the tokens, beside the system's. */
  #trust(): RequestOptions {
    const { caCert, skipVerify } = this.#options;
    return {
      ...(caCert ? { ca: [...process.getBuiltinModule("node:tls").getCACertificates("default"), caCert] } : {}),
      ...(skipVerify ? { rejectUnauthorized: false } : {}),
    };
  }
}

const areRounds = (rounds: number): boolean => Number.isInteger(rounds) && rounds >= LEAST_ROUNDS && rounds <= MOST_ROUNDS;

/** What is no object has none; a parser's error would repeat the token. */
function fieldsIn(json: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(json));
  } catch {
    return {};
  }
}

/** `a=1,b=2` */
function fieldsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(",").map((field) => [field.slice(0, 1), field.slice(2)]));
}
