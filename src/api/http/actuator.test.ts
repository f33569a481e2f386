import { afterEach, expect, test } from "vitest";
import { type Actuated, actuator, type HealthStatus } from "./actuator.ts";
import { type HttpServer, serveHttp } from "./server.ts";

const servers: HttpServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function serve(status: HealthStatus = "UP"): Promise<{ url: string; levels: string[] }> {
  const levels: string[] = [];
  const components = { runtime_startup: { status, details: { reason: "" } } };
  const actuated: Actuated = {
    liveness: () => components,
    readiness: () => components,
    version: "1.2.3",
    compiled: "2026-11-23T00:00:00Z",
    setLogLevel: (level) => level === "debug" && levels.push(level) > 0,
  };
  const server = await serveHttp({ host: "127.0.0.1", port: 0 }, actuator(actuated));
  servers.push(server);
  return { url: `http://127.0.0.1:${"port" in server.address ? server.address.port : 0}/actuator`, levels };
}

test.each(["liveness", "readiness"])("%s has Layotto's very body", async (kind) => {
  const response = await fetch(`${(await serve()).url}/health/${kind}`);
  expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
    200,
    "application/json",
    '{"components":{"runtime_startup":{"status":"UP","details":{"reason":""}}},"status":"UP"}',
  ]);
});

test.each(["INIT", "DOWN"] as const)("%s is code 500", async (status) => {
  const response = await fetch(`${(await serve(status)).url}/health/readiness`);
  expect([response.status, (await response.json()) as unknown]).toMatchObject([500, { status }]);
});

test("info names the app", async () => {
  const response = await fetch(`${(await serve()).url}/info`);
  expect(await response.json()).toEqual({ app: { name: "Layotto", version: "1.2.3", compiled: "2026-11-23T00:00:00Z" } });
});

test("the log level can be changed, and a bad one is told", async () => {
  const { url, levels } = await serve();
  const post = (body: string) => fetch(`${url}/logger`, { method: "POST", body });
  expect((await post('{"component":"layotto","level":"DEBUG"}')).status).toBe(200);
  for (const bad of ['{"level":"loud"}', "not json", "{}"]) expect((await post(bad)).status).toBe(400);
  expect(levels).toEqual(["debug"]);
});

test("any other path is 404 with an empty body, and a huge body is refused", async () => {
  const { url } = await serve();
  const other = await fetch(`${url}/env`);
  expect([other.status, await other.text()]).toEqual([404, ""]);
  expect((await fetch(`${url}/logger`, { method: "POST", body: "x".repeat(100_000) })).status).toBe(413);
});
