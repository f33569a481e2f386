import { testOn } from "../on-broker.ts";
import { embedded } from "./embedded.ts";

testOn(embedded);
