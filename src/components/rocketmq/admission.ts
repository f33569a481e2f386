import type { MessageInitShape } from "@bufbuild/protobuf";
import { PubSubError } from "../../pubsub/error.ts";
import { isBusy } from "./errors.ts";
import { ClientType, Language, type Settings, type SettingsSchema } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { UNSEEN_ATTEMPTS, unfit, unseen } from "./group-shape.ts";
import type { Member } from "./member.ts";
import { type Introduced, Session } from "./session.ts";

/** So often a proxy may refuse us, a second apart, before the reader ends: while a broker begins it knows no group. */
const MOST_REFUSALS = 10;
/** The same while it takes the group for another: it looks at one again after twenty seconds. Then the next reader asks the brokers anew. */
const MOST_MISFITS = 30;
const AGAIN_MS = 1_000;

/** Who wants to read. */
export interface Entrant {
  /** The proxy lets it read. */
  admitted(): void;
  /** It does not for now. */
  away(): void;
  /** Why it does not. It is asked again. */
  troubled(error: PubSubError): void;
  /** It is of no use to ask again. */
  refused(error: PubSubError): void;
}

/** Whether the proxy lets a reader read: it must know us, and take our group for what it is. */
export class Admission implements Introduced {
  readonly clientId: string;
  readonly group: { readonly resourceNamespace: string; readonly name: string };
  readonly #member: Member;
  readonly #managed: boolean;
  readonly #entrant: Entrant;
  readonly #session: Session;
  readonly #first = Promise.withResolvers<void>();
  #why: PubSubError | undefined;
  /** The proxy has taken us once. */
  #known = false;
  /** How often it has not since. */
  #refusals = 0;
  /** How often it took the group for another since. */
  #misfits = 0;
  #fit = false;
  #cancelAgain: () => void = () => undefined;

  /** `managed`: the brokers themselves were asked about the group, and what a proxy says otherwise is old. */
  constructor(member: Member, managed: boolean, entrant: Entrant) {
    const { clientId, group, options, proxies, clock } = member;
    this.clientId = clientId;
    this.group = { resourceNamespace: options.nameSpace, name: group };
    this.#member = member;
    this.#managed = managed;
    this.#entrant = entrant;
    this.#session = new Session(proxies, clock, this);
  }

  /** The proxy lets us read. */
  get stands(): boolean {
    return this.#session.ready && this.#fit;
  }

  /** Resolves with the first admission. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Why the proxy does not want us. */
  get why(): PubSubError | undefined {
    return this.#why;
  }

  open(): void {
    this.#session.open();
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  settings(): MessageInitShape<typeof SettingsSchema> {
    const { options, topic, filter, ordered } = this.#member;
    return {
      clientType: ClientType.SIMPLE_CONSUMER,
      userAgent: { language: Language.NODE_JS, version: "layotto" },
      // A proxy that cannot look at the group believes this, and would else read without order, and put aside what was given 16 times.
      backoffPolicy: { maxAttempts: UNSEEN_ATTEMPTS },
      pubSub: {
        case: "subscription",
        value: {
          group: this.group,
          fifo: ordered,
          subscriptions: [{ topic: { resourceNamespace: options.nameSpace, name: topic }, expression: filter }],
        },
      },
    };
  }

  ready(settings: Settings): void {
    const { group, ordered } = this.#member;
    this.#cancelAgain();
    const error = (this.#managed ? undefined : unseen(group, ordered, settings)) ?? unfit(group, ordered, settings);
    if (error) {
      this.#misfit(error);
      return;
    }
    this.#why = undefined;
    this.#refusals = 0;
    this.#misfits = 0;
    this.#known = true;
    this.#fit = true;
    this.#first.resolve();
    this.#entrant.admitted();
  }

  /** A group that is gone is made again with the next reader. */
  unwelcome(error: PubSubError): void {
    this.#why = error;
    // One that has too much to do says nothing about us.
    if (!isBusy(error)) this.#refusals += 1;
    if (this.#known && this.#refusals >= MOST_REFUSALS) this.#entrant.refused(error);
    else this.#entrant.troubled(error);
  }

  away(): void {
    this.#cancelAgain();
    this.#entrant.away();
  }

  #misfit(error: PubSubError): void {
    this.#misfits += 1;
    this.#fit = false;
    if (error.permanent && !this.#managed) {
      this.#first.reject(error);
      this.#entrant.refused(error);
      return;
    }
    this.#entrant.away();
    const why = this.#managed ? notYet(error) : error;
    if (this.#known && this.#misfits > MOST_MISFITS) {
      this.#entrant.refused(why);
      return;
    }
    const known = this.#why?.message === why.message;
    this.#why = why;
    if (!known) this.#entrant.troubled(why);
    this.#cancelAgain = this.#member.clock.after(AGAIN_MS, () => this.#session.update());
  }
}

const notYet = ({ code, message }: PubSubError): PubSubError =>
  new PubSubError(code, `the proxy does not know yet what the brokers say of the group, and is asked again: ${message}`);
