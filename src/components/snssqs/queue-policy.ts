/**
 * What a queue's policy says of SNS and a topic. `nobody`: whatever the topic, SNS may put nothing there. `others`: it may for other topics,
 * not for this one. `unknown`: it cannot be read.
 */
export type Permission = "allowed" | "others" | "nobody" | "unknown";

type Json = Readonly<Record<string, unknown>>;

const SEND = "sqs:sendmessage";
/** Regions that an account must opt into have a name of their own, those of China an ending. */
const SNS = /^sns\.([a-z0-9-]+\.)?amazonaws\.com(\.cn)?$/i;

/** Only what is allowed is looked at: a Deny names topics to keep them, or others, out. */
export function permission(policy: string, topicArn: string): Permission {
  const statements = statementsOf(policy);
  if (!statements) return "unknown";
  const allowing = statements.filter((one) => one.Effect === "Allow" && isOfSns(one) && isOfSending(one));
  if (allowing.length === 0) return "nobody";
  return allowing.some(({ Condition }) => isMet(Condition, topicArn)) ? "allowed" : "others";
}

function statementsOf(policy: string): readonly Json[] | undefined {
  let read: unknown;
  try {
    read = JSON.parse(policy);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isObject(read)) return undefined;
  const statements = Array.isArray(read.Statement) ? read.Statement : [read.Statement];
  return statements.every(isObject) ? statements : undefined;
}

function isOfSns({ Principal, NotPrincipal }: Json): boolean {
  if (!isObject(Principal)) return Principal === "*" || NotPrincipal !== undefined;
  return textsOf(Principal.AWS).includes("*") || textsOf(Principal.Service).some((one) => one === "*" || SNS.test(one));
}

function isOfSending({ Action, NotAction }: Json): boolean {
  const covers = (actions: unknown) => textsOf(actions).some((one) => isLike(SEND, one.toLowerCase()));
  return Action === undefined ? NotAction !== undefined && !covers(NotAction) : covers(Action);
}

const OPERATORS: Readonly<Record<string, (fact: string, wanted: string) => boolean>> = {
  arnequals: isLike,
  arnlike: isLike,
  stringlike: isLike,
  stringequals: (fact, wanted) => fact === wanted,
};

/** Of a message that SNS brings from the topic. What is asked by another operator, or about something else, may be so: who can say. */
function isMet(condition: unknown, topicArn: string): boolean {
  const facts: Readonly<Record<string, string | undefined>> = { "aws:sourcearn": topicArn, "aws:sourceaccount": topicArn.split(":")[4] };
  return Object.entries(isObject(condition) ? condition : {}).every(([operator, asked]) => {
    const holds = OPERATORS[operator.toLowerCase().replace(/^for(anyvalue|allvalues):|ifexists$/g, "")];
    return Object.entries(isObject(asked) ? asked : {}).every(([name, wanted]) => {
      const fact = facts[name.toLowerCase()];
      return !holds || fact === undefined || textsOf(wanted).some((one) => holds(fact, one));
    });
  });
}

/** The pattern's `*` and `?` stand for anything; else it is the whole text. */
function isLike(text: string, pattern: string): boolean {
  const escaped = pattern.replace(/[\\^$.+()[\]{}|]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*+/g, ".*").replaceAll("?", ".")}$`, "s").test(text);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
}
