import { expect, test } from "vitest";
import { exposition } from "./exposition.ts";
import { Histogram, SECONDS } from "./histogram.ts";
import { Measures } from "./measures.ts";

test("a histogram counts each value in the first bucket that holds it", () => {
  const histogram = new Histogram([1, 2, 4]);
  for (const value of [0, 1, 1.5, 2, 3, 4, 5, 100]) histogram.observe(value);
  expect([histogram.counts, histogram.sum, histogram.count]).toEqual([[2, 2, 2, 2], 116.5, 8]);
});

test("a thousand topics have a label of their own, over all components; the others share one", () => {
  const measures = new Measures(["a", "b"]);
  for (let index = 0; index < 600; index++) measures.of("a").publishing(`t${index}`).published += 1;
  for (let index = 0; index < 600; index++) measures.of("b").publishing(`u${index}`).published += 1;
  measures.of("b").publishing("u0").published += 1;
  measures.of("b").reading("u599", "g").acked += 1;
  expect([measures.of("a").topics.size, measures.of("b").topics.size]).toEqual([600, 401]);
  expect(measures.of("b").topics.get("other")?.published).toBe(200);
  expect(measures.of("b").topics.get("u0")?.published).toBe(2);
  expect([...measures.of("b").readers.values()].map(({ topic }) => topic)).toEqual(["other"]);
});

test("a group's numbers go on when it is read again", () => {
  const measures = new Measures(["a"]);
  measures.of("a").reading("t", "g").acked += 1;
  measures.of("a").reading("t", "g").acked += 1;
  expect(measures.of("a").reading("t", "g").acked).toBe(2);
});

test("Prometheus reads what is measured now", async () => {
  const seconds = new Histogram(SECONDS.slice(0, 2));
  let count = 0;
  const shown = exposition(
    [
      { type: "counter", name: "things_total", help: "Things.", labels: ["topic"], read: () => [[{ topic: 'a"\\\n' }, count]] },
      { type: "gauge", name: "room", help: "Room.", labels: [], read: () => [[{}, -1]] },
      { type: "histogram", name: "time_seconds", help: "Time.", labels: ["pubsub"], read: () => [[{ pubsub: "p" }, seconds]] },
    ],
    0,
  );
  expect(await shown.text()).not.toContain("process_");
  await expect.poll(() => shown.text()).toContain("process_");
  count = 3;
  for (const value of [0.00005, 0.0002, 7]) seconds.observe(value);
  const text = await shown.text();
  expect(text).toContain('# TYPE things_total counter\nthings_total{topic="a\\"\\\\\\n"} 3\n');
  expect(text).toContain("# TYPE room gauge\nroom -1\n");
  expect(text).toContain(`# TYPE time_seconds histogram
time_seconds_bucket{pubsub="p",le="0.0001"} 1
time_seconds_bucket{pubsub="p",le="0.00025"} 2
time_seconds_bucket{pubsub="p",le="+Inf"} 3
time_seconds_sum{pubsub="p"} 7.00025
time_seconds_count{pubsub="p"} 3
`);
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  expect(shown.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
});
