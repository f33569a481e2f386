/** A message of the demo: the number is its place among those of its key. */
export interface Numbered {
  readonly key: string;
  readonly number: number;
  /** The app asks for another try of it each time. */
  readonly refused: boolean;
}

/** What became of all that was published, by what the subscriber itself wrote. */
export interface Tally {
  readonly published: number;
  /** That came at least once. */
  readonly delivered: number;
  /** Each key's messages came in the order of their numbers, none before the one before it was done with. */
  readonly inOrder: boolean;
  /** Deliveries of what had come before. */
  readonly retried: number;
  /** That came to the dead-letter topic. */
  readonly deadLettered: number;
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** The word by which the subscriber knows what it refuses. */
export const REFUSED = "refused";

/** As it is published. */
export function written({ key, number, refused }: Numbered): string {
  return refused ? `${key} ${number} ${REFUSED}` : `${key} ${number}`;
}

/** `lines`: what the subscriber wrote. */
export function tally(published: readonly Numbered[], lines: readonly string[], topic: string, deadLetterTopic: string): Tally {
  const came = received(lines, topic);
  const dead = new Set(received(lines, deadLetterTopic));
  const delivered = new Set(came);
  const sent = new Map(published.map((message) => [written(message), message]));
  const unknown = [...delivered, ...dead].filter((text) => !sent.has(text));
  const disorder = outOfOrder(came.flatMap((text) => sent.get(text) ?? []));
  const lost = published.filter((message) => !delivered.has(written(message)));
  const notBuried = published.filter((message) => message.refused && !dead.has(written(message)));
  const buried = published.filter((message) => !message.refused && dead.has(written(message)));
  return {
    published: published.length,
    delivered: published.length - lost.length,
    inOrder: disorder.length === 0,
    retried: came.length - delivered.size,
    deadLettered: dead.size,
    problems: [
      ...named("never came", lost.map(written)),
      ...named("came out of order", disorder.map(written)),
      ...named("was refused and is no dead letter", notBuried.map(written)),
      ...named("was not refused and is a dead letter", buried.map(written)),
      ...named("was never published", unknown),
    ],
  };
}

function received(lines: readonly string[], topic: string): readonly string[] {
  const start = `Received a new event.Topic: ${topic} , Data:`;
  return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length).trimEnd());
}

/** Deliveries of which a later message of the same key came before. */
function outOfOrder(deliveries: readonly Numbered[]): readonly Numbered[] {
  const highest = new Map<string, number>();
  return deliveries.filter(({ key, number }) => {
    const before = highest.get(key) ?? 0;
    highest.set(key, Math.max(before, number));
    return number < before;
  });
}

function named(what: string, texts: readonly string[]): readonly string[] {
  return texts.map((text) => `"${text}" ${what}`);
}
