/** Why a connection failed. A name with several addresses fails with an error for each, and none of its own. */
export function reasonOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join(", ") : error.message;
}
