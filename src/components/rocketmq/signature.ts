import { createHmac } from "node:crypto";

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly securityToken?: string;
}

/** `20261125T213027Z`. */
function dateTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** The fields with which a call to a proxy shows who calls. The time is what is signed. */
export function signed({ accessKey, secretKey, securityToken }: Credentials, ms: number): readonly (readonly [string, string])[] {
  const time = dateTime(ms);
  const signature = createHmac("sha1", secretKey).update(time).digest("hex").toUpperCase();
  const authorization = `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=x-mq-date-time, Signature=${signature}`;
  const token: readonly (readonly [string, string])[] = securityToken === undefined ? [] : [["x-mq-session-token", securityToken]];
  return [["x-mq-date-time", time], ...token, ["authorization", authorization]];
}
