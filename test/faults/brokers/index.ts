import type { Broker } from "../broker.ts";
import { embedded } from "./embedded.ts";
import { inMemory } from "./in-memory.ts";
import { redis } from "./redis.ts";
import { snssqs, snssqsFifo } from "./snssqs.ts";

export const BROKERS: readonly Broker[] = [redis, embedded, snssqs, snssqsFifo, inMemory];
