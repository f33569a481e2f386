import type { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { SnsSqsOptions } from "./config.ts";

/** Gives credentials to whoever asks. */
type Provider = ReturnType<typeof fromTemporaryCredentials>;
/** The client that asks, as the SDK tells it. */
type Caller = Parameters<Provider>[0];
type Credentials = Awaited<ReturnType<Provider>>;

export const CLIENT_NAME = "layotto";
/** It would write to the console that requests wait for a connection: that is what the bound is for. */
export const NEVER_WARNS = { socketAcquisitionWarningTimeout: 2 ** 31 - 1 };

/** Whoever asks for credentials on the way to something else is to be told of that, not that it took too long: nothing was sent then. */
const SHARE = 3 / 4;
/** Tries of one request for credentials within that time. */
const TRIES = 2;

/**
 * What the clients are given: a key, or who gives credentials within a time. The SDK's own sources may wait for ever for an answer that was
 * lost, and everybody who asks later waits with them.
 */
export function credentialsOf(options: SnsSqsOptions, name: string, clock: Clock): Credentials | Provider {
  const { accessKey: accessKeyId, secretKey: secretAccessKey, sessionToken, assumeRoleArn } = options;
  const own = accessKeyId !== undefined && secretAccessKey !== undefined ? { accessKeyId, secretAccessKey } : undefined;
  const key = own && { ...own, ...(sessionToken !== undefined && { sessionToken }) };
  if (assumeRoleArn === undefined && key) return key;
  const ms = options.requestTimeout * SHARE;
  // A plain object: each client makes connections of its own from it.
  const requestHandler = {
    connectionTimeout: Math.min(options.connectTimeout, ms / TRIES),
    requestTimeout: ms / TRIES,
    throwOnRequestTimeout: true,
    ...NEVER_WARNS,
  };
  if (assumeRoleArn === undefined) return inTime(async (caller) => usual(caller, requestHandler), ms, clock);
  const { region, endpoint, assumeRoleSessionName } = options;
  const clientConfig = { requestHandler, ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) };
  const RoleSessionName = assumeRoleSessionName ?? `${CLIENT_NAME}-${name}`.replace(/[^\w+=,.@-]/g, "-").slice(0, 64);
  const params = { RoleArn: assumeRoleArn, RoleSessionName };
  const role = async (caller: Caller) => {
    const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
    return fromTemporaryCredentials({ params, masterCredentials: key ?? usual(caller, requestHandler), clientConfig });
  };
  return inTime(role, ms, clock);
}

/** The SDK's own chain, as the client that asks has it. */
function usual(caller: Caller, requestHandler: object): Provider {
  const config = caller?.callerClientConfig;
  const chain = config?.credentialDefaultProvider;
  if (!chain) throw new PubSubError("internal", "the SDK's client does not say where it gets credentials from", { permanent: true });
  // The SDK has a limit for a container's answer which only makes it write to the console.
  const unlimited = isInContainer() && { timeout: 0 };
  return chain({ ...config, parentClientConfig: config, clientConfig: { requestHandler }, ...unlimited });
}

function isInContainer(): boolean {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = process.env;
  return Boolean(relative || full);
}

/** Asks one that `make` makes. One that has not answered in `ms` is asked no more, unless it answers after all. */
export function inTime(make: (caller: Caller) => Promise<Provider>, ms: number, clock: Clock): Provider {
  let current: Promise<Provider> | undefined;
  return (caller) => {
    current ??= make(caller);
    const asked = current;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(ms, () => {
        if (current === asked) current = undefined;
        const what = `no credentials within ${ms} ms: what gives them (STS, or the endpoint of the container or the instance) does not answer`;
        reject(new PubSubError("unavailable", what));
      });
      const answered = (credentials: Credentials) => {
        current = asked;
        resolve(credentials);
      };
      asked
        .then((provider) => provider(caller))
        .finally(cancel)
        .then(answered, (error: unknown) => reject(understood(error)));
    });
  };
}

/** What the SDK throws of an answer without credentials has no name of its own, as a fault of the program would. */
function understood(error: unknown): unknown {
  const isNamed = !(error instanceof Error) || error.name !== "Error" || "code" in error;
  return isNamed ? error : new PubSubError("unauthenticated", `there are no credentials: ${error.message}`);
}
