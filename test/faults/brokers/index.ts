import type { Broker } from "../broker.ts";
import { embedded } from "./embedded.ts";
import { inMemory } from "./in-memory.ts";
import { kafka } from "./kafka.ts";
import { redis } from "./redis.ts";
import { rocketmq } from "./rocketmq.ts";
import { snssqs, snssqsFifo } from "./snssqs.ts";

export const BROKERS: readonly Broker[] = [redis, kafka, embedded, inMemory, rocketmq, snssqs, snssqsFifo];
