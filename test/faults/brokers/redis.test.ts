import { testOn } from "../on-broker.ts";
import { redis } from "./redis.ts";

testOn(redis);
