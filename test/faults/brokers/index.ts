import type { Broker } from "../broker.ts";
import { embedded } from "./embedded.ts";
import { inMemory } from "./in-memory.ts";
import { kafka } from "./kafka.ts";
import { redis } from "./redis.ts";

export const BROKERS: readonly Broker[] = [redis, kafka, embedded, inMemory];
