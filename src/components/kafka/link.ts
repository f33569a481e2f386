import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import { type Backoff, waitMs } from "../../resiliency/backoff.ts";
import type { Host, KafkaOptions } from "./config.ts";
import { Connection } from "./connection.ts";
import type { SignIn } from "./sign-in.ts";
import { apiVersions } from "./wire/cluster-apis.ts";
import { lacking } from "./wire/needed.ts";

const AGAIN: Backoff = { firstMs: 20, mostMs: 1_000 };
/** How much of a sign-in's time is used. */
const LIFETIME_USED = 0.8;

/** What all links need to know. */
export interface LinkGround {
  readonly options: KafkaOptions;
  readonly clientId: string;
  readonly clock: Clock;
  readonly signIn: SignIn;
}

/** A way to one broker: one connection, made when it is needed, and made again after it ended. */
export class Link {
  readonly #ground: LinkGround;
  readonly #host: Host;
  #connection: Connection | undefined;
  #dialing: Promise<Connection> | undefined;
  #failures = 0;
  #notBefore = Number.NEGATIVE_INFINITY;
  #lastError: PubSubError | undefined;
  #closed = false;

  constructor(ground: LinkGround, host: Host) {
    this.#ground = ground;
    this.#host = host;
  }

  leadsTo({ host, port }: Host): boolean {
    return this.#host.host === host && this.#host.port === port;
  }

  /** The connection, if it is there now. */
  get connection(): Connection | undefined {
    return this.#connection?.up ? this.#connection : undefined;
  }

  /** Resolves with the connection, made if need be. Rejects at once while a broker that was not reached is left alone for a moment. */
  ready(): Promise<Connection> {
    const { connection } = this;
    if (connection) return Promise.resolve(connection);
    if (this.#closed) return Promise.reject(new PubSubError("unavailable", "the connection is closed"));
    if (this.#dialing) return this.#dialing;
    if (this.#lastError && this.#ground.clock.elapsed() < this.#notBefore) return Promise.reject(this.#lastError);
    this.#dialing = this.#dial().finally(() => {
      this.#dialing = undefined;
    });
    return this.#dialing;
  }

  drop(why: string): void {
    this.#connection?.drop(why);
  }

  /** Lets go of the connection once it owes nothing. One that is needed again is made. */
  rest(): void {
    this.#connection?.retire();
    this.#connection = undefined;
  }

  close(): void {
    this.#closed = true;
    this.drop("the component lets go of it");
  }

  async #dial(): Promise<Connection> {
    const { options, clientId, clock, signIn } = this.#ground;
    try {
      const tls = tlsOf(options, this.#host);
      const connection = await Connection.dial({ ...this.#host, clientId, tls, dialTimeoutMs: options.dialTimeout, clock });
      let lifetimeMs: number;
      try {
        const ranges = await connection.call(apiVersions, undefined, options.readTimeout);
        const lacks = lacking(ranges);
        if (lacks) throw new PubSubError("unimplemented", `${connection.where}: ${lacks}: Kafka 2.8 or newer is needed`);
        connection.speaks = new Map(ranges.map(({ key, newest }) => [key, newest]));
        lifetimeMs = await signIn.on(connection);
      } catch (error) {
        connection.drop("it did not come to work");
        throw error;
      }
      if (this.#closed) {
        connection.drop("the component lets go of it");
        throw new PubSubError("unavailable", "the connection is closed");
      }
      this.#connection = connection;
      this.#failures = 0;
      this.#lastError = undefined;
      if (lifetimeMs > 0) clock.after(lifetimeMs * LIFETIME_USED, () => this.#renew(connection));
      return connection;
    } catch (error) {
      this.#failures += 1;
      // Before the link is there nothing was asked for: whatever waits for it has certainly not been done.
      const { code, message, permanent } = asPubSubError(error);
      this.#lastError = new PubSubError(code, message, { permanent });
      this.#notBefore = clock.elapsed() + waitMs(AGAIN, this.#failures, clock.random());
      throw this.#lastError;
    }
  }

  /** The next request signs in anew; those under way are not disturbed. */
  #renew(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    connection.retire();
  }
}

function tlsOf(options: KafkaOptions, { host }: Host): ConnectionOptions | undefined {
  if (!options.tls) return undefined;
  return {
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(options.skipVerify ? { rejectUnauthorized: false } : {}),
    ...(options.caCert ? { ca: options.caCert } : {}),
    ...(options.clientCert ? { cert: options.clientCert } : {}),
    ...(options.clientKey ? { key: options.clientKey } : {}),
  };
}
