import { testOn } from "../on-broker.ts";
import { kafka } from "./kafka.ts";

testOn(kafka);
