import { decodeName, encodeName } from "./names.ts";

export const TOPIC_TAG = "layotto-topic";
export const GROUP_TAG = "layotto-group";
/**
 * Dapr and Layotto in Go ask for each topic with this tag, its own name, and de-duplication by content where it is FIFO. They cannot use one
 * that has others.
 */
export const DAPR_TOPIC_TAG = "dapr-topic-name";

/** AWS takes no longer value for a tag. */
const LENGTH = 256;

/** The original of a name that AWS does not take, in as many tags as it needs. */
export function tagsOf(key: string, original: string): Record<string, string> {
  const text = encodeName(original);
  const tags: Record<string, string> = {};
  for (let at = 0, part = 1; at < text.length; at += LENGTH, part++) tags[numbered(key, part)] = text.slice(at, at + LENGTH);
  return tags;
}

/** What `tagsOf` was given. Undefined: it does not stand there. */
export function originalOf(key: string, tags: Readonly<Record<string, string>>): string | undefined {
  let text: string | undefined;
  for (let part = 1; ; part++) {
    const value = tags[numbered(key, part)];
    if (value === undefined) return text === undefined ? undefined : decodeName(text);
    text = (text ?? "") + value;
  }
}

function numbered(key: string, part: number): string {
  return part === 1 ? key : `${key}-${part}`;
}
