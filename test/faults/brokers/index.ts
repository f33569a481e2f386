import type { Broker } from "../broker.ts";
import { embedded } from "./embedded.ts";
import { inMemory } from "./in-memory.ts";
import { redis } from "./redis.ts";
import { rocketmq } from "./rocketmq.ts";

export const BROKERS: readonly Broker[] = [redis, embedded, inMemory, rocketmq];
