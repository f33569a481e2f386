import { expect, test } from "vitest";
import type { AppChannel } from "../app/channel.ts";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { watchApp } from "./app-watch.ts";

test("an app that is out of reach for a while is told of once, and so is its return; one that restarts is not", () => {
  const clock = new SteppedClock();
  const lines: string[] = [];
  const note = (level: string) => (_: unknown, text: string) => void lines.push(`${level} ${text.slice(0, 29)}`);
  const log = { info: note("info"), warn: note("warn") } as unknown as Logger;
  let change: (reachable: boolean) => void = () => undefined;
  let ended = false;
  const channel = {
    reachable: false,
    onReachable(fn: (reachable: boolean) => void) {
      change = fn;
      return () => {
        ended = true;
      };
    },
  } as unknown as AppChannel;
  const end = watchApp(channel, "127.0.0.1:9999", clock, log);
  clock.advance(4_999);
  expect(lines).toEqual([]);
  clock.advance(60_000);
  change(true);
  expect(lines).toEqual(["warn no app answers; what it subsc", "info the app is reached again"]);
  change(false);
  clock.advance(4_000);
  change(true);
  change(false);
  end();
  clock.advance(60_000);
  expect([lines.length, ended]).toEqual([2, true]);
});
