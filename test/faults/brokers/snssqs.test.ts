import { testOn } from "../on-broker.ts";
import { snssqs, snssqsFifo } from "./snssqs.ts";

testOn(snssqs);
testOn(snssqsFifo);
