import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { KafkaOptions } from "./config.ts";
import type { Connection } from "./connection.ts";
import { ensureNone } from "./errors.ts";
import { saslAuthenticate, saslHandshake } from "./wire/cluster-apis.ts";

const derive = promisify(pbkdf2);

/** Signs a new connection in, as the options say. */
export class SignIn {
  readonly #options: KafkaOptions;
  readonly #clock: Clock;
  #token: { readonly text: string; readonly until: number } | undefined;

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
    if (!joined.startsWith(nonce) || joined === nonce || salt === "" || !(Number(rounds) >= 4_096)) {
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
    const { text, lifetimeMs } = await this.#say(connection, `n,,\x01${fields.join("\x01")}\x01\x01`);
    // Without an error of the protocol, a refusal is what stands here (RFC 7628, 3.2.2).
    if (text !== "") throw new PubSubError("unauthenticated", `${connection.where}: the token is refused: ${text}`);
    return lifetimeMs;
  }

  /** A token that holds for a while yet. */
  async #fresh(): Promise<string> {
    if (this.#token && this.#token.until > this.#clock.elapsed()) return this.#token.text;
    const { oidcTokenEndpoint = "", oidcClientID = "", oidcClientSecret = "", oidcScopes, readTimeout } = this.#options;
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: oidcClientID,
      client_secret: oidcClientSecret,
      scope: oidcScopes.split(",").join(" "),
    });
    const signal = AbortSignal.timeout(readTimeout);
    let answer: { readonly access_token?: string; readonly expires_in?: number };
    try {
      const response = await fetch(oidcTokenEndpoint, { method: "POST", body, signal });
      if (!response.ok) throw new PubSubError("unauthenticated", `${oidcTokenEndpoint} answered ${response.status} instead of a token`);
      answer = (await response.json()) as typeof answer;
    } catch (error) {
      if (error instanceof PubSubError) throw error;
      throw new PubSubError(
        "unavailable",
        `${oidcTokenEndpoint} gives no token: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    if (!answer.access_token) throw new PubSubError("unauthenticated", `${oidcTokenEndpoint} answered without access_token`);
    this.#token = { text: answer.access_token, until: this.#clock.elapsed() + ((answer.expires_in ?? 60) * 1_000 * 4) / 5 };
    return answer.access_token;
  }
}

/** `a=1,b=2` */
function fieldsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(",").map((field) => [field.slice(0, 1), field.slice(2)]));
}
