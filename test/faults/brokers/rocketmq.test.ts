import { testOn } from "../on-broker.ts";
import { rocketmq } from "./rocketmq.ts";

testOn(rocketmq);
