/** What the process ends with. */
export const EXIT = {
  ok: 0,
  /** It ran, and something went wrong. */
  runtime: 1,
  /** It did not start: the command line or the configuration is wrong. */
  configuration: 2,
} as const;

/** An error for the person at the keyboard: its text alone is printed, then the process ends with `code`. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: number;

  constructor(message: string, code: number = EXIT.runtime) {
    super(message);
    this.code = code;
  }
}
