import { describe } from "vitest";
import { awsAvailable } from "./aws.ts";
import { kafkaAvailable } from "./kafka.ts";
import { redisAvailable } from "./redis.ts";
import { rocketmqAvailable } from "./rocketmq.ts";

export const withAws = given(awsAvailable);
export const withKafka = given(kafkaAvailable);
export const withRedis = given(redisAvailable);
export const withRocketmq = given(rocketmqAvailable);

/** Describes tests that need a server: skipped by name where there is none, and the name says why. */
function given(missing: () => string | undefined) {
  return (name: string, tests: () => void): void => {
    const why = missing();
    if (why === undefined) describe(name, tests);
    else describe.skip(`${name} (${why})`, tests);
  };
}
