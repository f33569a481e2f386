/** Brokers that do not speak as Kafka 2.8, or were not told to yet, give topics no ids. */
const NO_ID = /^0*$/;

export function hasId(id: string): boolean {
  return !NO_ID.test(id);
}

/** Whether these ids, under one name, may be one topic's. Without an id nothing says that it is another: a topic gets its id once its brokers know of ids. */
export function maybeSame(one: string, other: string): boolean {
  return one === other || !hasId(one) || !hasId(other);
}
