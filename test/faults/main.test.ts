import { expect, test } from "vitest";
import { BROKERS } from "./brokers/index.ts";
import { command } from "./main.ts";
import { SCENARIOS } from "./scenarios/index.ts";

test("the help names every scenario and every broker", () => {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  for (const { name } of [...SCENARIOS, ...BROKERS]) expect(help).toContain(name);
});

test("scenarios have names of their own", () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
});

test("each gap of a broker is one of something that a scenario needs, or of a scenario", () => {
  const known = new Set(SCENARIOS.flatMap(({ name, needs }) => [name, ...needs]));
  for (const { gaps } of BROKERS) expect(Object.keys(gaps).filter((gap) => !known.has(gap))).toEqual([]);
});
