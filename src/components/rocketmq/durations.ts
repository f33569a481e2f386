import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

export function durationOf(ms: number): Duration {
  const whole = Math.floor(ms / 1_000);
  return create(DurationSchema, { seconds: BigInt(whole), nanos: Math.floor(ms - whole * 1_000) * 1e6 });
}
