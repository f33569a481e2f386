import { testOn } from "../on-broker.ts";
import { inMemory } from "./in-memory.ts";

testOn(inMemory);
