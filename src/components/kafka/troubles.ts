import type { PubSubError } from "../../pubsub/error.ts";

/** The later, the graver. */
const MATTERS = ["reading", "recording", "group"] as const;
export type Matter = (typeof MATTERS)[number];

/** What is wrong with a reader, of each matter the last that was heard. */
export class Troubles {
  readonly #errors = new Map<Matter, PubSubError>();
  readonly #tell: (gravest: PubSubError | undefined) => void;

  /** `tell` is told of each change. */
  constructor(tell: (gravest: PubSubError | undefined) => void) {
    this.#tell = tell;
  }

  begin(matter: Matter, error: PubSubError): void {
    this.#errors.set(matter, error);
    this.#say();
  }

  end(matter: Matter): void {
    if (this.#errors.size > 0 && this.#errors.delete(matter)) this.#say();
  }

  #say(): void {
    const gravest = MATTERS.findLast((matter) => this.#errors.has(matter));
    this.#tell(gravest && this.#errors.get(gravest));
  }
}
