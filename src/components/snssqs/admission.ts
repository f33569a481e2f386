import { PubSubError } from "../../pubsub/error.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { SnsSqsOptions } from "./config.ts";
import type { Attributes } from "./directory.ts";
import { type Candidate, refusal } from "./findings.ts";

/** Which queues must not be read, since their messages would be lost. */
export class Admission {
  readonly #options: SnsSqsOptions;
  /** By name. */
  readonly #refused = new Map<string, { readonly candidate: Candidate; readonly finding: Finding }>();

  constructor(options: SnsSqsOptions) {
    this.#options = options;
  }

  get findings(): readonly Finding[] {
    return [...this.#refused.values()].map(({ finding }) => finding);
  }

  get refused(): readonly Candidate[] {
    return [...this.#refused.values()].map(({ candidate }) => candidate);
  }

  refuses(name: string): boolean {
    return this.#refused.has(name);
  }

  /** Why it must not be read. Undefined: it may. */
  refusal(candidate: Candidate, attributes: Attributes): PubSubError | undefined {
    const finding = refusal(candidate, attributes, this.#options);
    if (!finding) {
      this.forget(candidate.name);
      return undefined;
    }
    this.#refused.set(candidate.name, { candidate, finding });
    return new PubSubError("failed_precondition", `${finding.found} ${finding.remedy}`, { permanent: true });
  }

  /** It may be read, or is not there any more. */
  forget(name: string): void {
    this.#refused.delete(name);
  }
}
