// node --expose-gc bench/soak.ts [calls]: a server and a client in one process, and a million calls of all kinds. Memory must not grow with their number.
import {
  type Client,
  connect,
  type Handlers,
  listen,
  Metadata,
  type ResponseMetadata,
  type RpcError,
  type ServerOptions,
  Status,
  streaming,
} from "layotto-transport";

const CALLS = Number(process.argv[2] ?? 1_000_000);
const IN_FLIGHT = 200;
const TENTHS = 10;
/** How much the heap may have grown from the first tenth to the last. */
const GROWTH_BYTES = 8 * 2 ** 20;
const MIB = 2 ** 20;

const { gc } = globalThis;
if (gc === undefined || !(CALLS >= TENTHS)) {
  console.error("Usage: node --expose-gc bench/soak.ts [calls]");
  process.exit(2);
}

const handlers: Handlers = {
  "/soak.Soak/Echo": (request, call) => call.respond(request),
  "/soak.Soak/Fail": (_request, call) => call.fail(Status.ABORTED, "as it was asked to", new Metadata([["x-why", "a test"]])),
  "/soak.Soak/Hang": (_request, call) => call.onCancel(() => undefined),
  "/soak.Soak/Each": streaming((call) => ({ message: (bytes) => void call.send(bytes), end: () => call.end() })),
};

let begun = 0;
let ended = 0;
const options: ServerOptions = {
  handlers,
  // Of the calls below an eighth is cancelled: more than a client of the usual kind does.
  limits: { resets: { burst: 1e9, perSecond: 1e9 } },
  admit: () => {
    begun += 1;
    return undefined;
  },
  onEnd: () => {
    ended += 1;
  },
};

type Outcome = number | "lost";
/** What a call must end with. */
interface Kind {
  readonly expected: Outcome;
  start(client: Client, over: (outcome: Outcome) => void): void;
}

const small = new Uint8Array(256).fill(0x61);
const large = new Uint8Array(40_000).fill(0x62);
const metadata = new Metadata([
  ["x-request", "of a kind"],
  ["x-trace-bin", new Uint8Array(16)],
]);

class Receiver {
  readonly #over: (outcome: Outcome) => void;

  constructor(over: (outcome: Outcome) => void) {
    this.#over = over;
  }

  response(_message: Uint8Array, _metadata: ResponseMetadata): void {
    this.#over(Status.OK);
  }

  failed(error: RpcError): void {
    this.#over(error.code);
  }
}

const unary = (expected: Outcome, method: string, request: Uint8Array, more: () => Parameters<Client["unary"]>[3]): Kind => ({
  expected,
  start: (client, over) => void client.unary(`/soak.Soak/${method}`, request, new Receiver(over), more()),
});

const KINDS: readonly Kind[] = [
  unary(Status.OK, "Echo", small, () => undefined),
  unary(Status.OK, "Echo", small, () => ({ deadline: Date.now() + 60_000 })),
  unary(Status.OK, "Echo", small, () => ({ metadata })),
  unary(Status.OK, "Echo", large, () => ({ compression: "gzip", deadline: Date.now() + 60_000 })),
  unary(Status.ABORTED, "Fail", small, () => ({ deadline: Date.now() + 60_000 })),
  unary(Status.DEADLINE_EXCEEDED, "Hang", small, () => ({ deadline: Date.now() + 5 })),
  {
    expected: Status.CANCELLED,
    start(client, over) {
      const call = client.unary("/soak.Soak/Hang", small, new Receiver(over), { deadline: Date.now() + 60_000 });
      setImmediate(() => call.cancel());
    },
  },
  {
    expected: Status.OK,
    start(client, over) {
      let count = 0;
      const stream = client.stream("/soak.Soak/Each", {
        message: () => {
          count += 1;
        },
        ended: () => over(count === 3 ? Status.OK : "lost"),
        failed: ({ code }) => over(code),
      });
      for (let index = 0; index < 3; index++) stream.send(small);
      stream.end();
    },
  },
];

const server = await listen({ host: "127.0.0.1", port: 0 }, options);
const client = connect(server.address);
const wrong = new Map<string, number>();
let first = 0;
let last = 0;
for (let tenth = 1; tenth <= TENTHS; tenth++) {
  const start = performance.now();
  await run(Math.floor(CALLS / TENTHS));
  const seconds = (performance.now() - start) / 1_000;
  last = await heapAtRest();
  if (tenth === 1) first = last;
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  const rate = Math.round(CALLS / TENTHS / seconds);
  console.log(`${tenth * 10} %: heap ${mib(last)} MiB, RSS ${mib(process.memoryUsage().rss)} MiB, ${rate} calls/s`);
}
client.close();
await server.close(AbortSignal.timeout(5_000));
for (const [what, count] of wrong) console.error(`${count} times: ${what}`);
if (begun !== ended) console.error(`the server began ${begun} calls and ended ${ended}`);
const grown = last - first;
if (grown > GROWTH_BYTES) console.error(`the heap has grown by ${Math.round(grown / 1_024)} KiB`);
process.exitCode = wrong.size > 0 || begun !== ended || grown > GROWTH_BYTES ? 1 : 0;

/** So many calls of all kinds, each kind in turn. */
function run(calls: number): Promise<void> {
  return new Promise((resolve) => {
    let started = 0;
    let over = 0;
    const next = () => {
      const kind = KINDS[started % KINDS.length] as Kind;
      started += 1;
      let outcomes = 0;
      kind.start(client, (outcome) => {
        outcomes += 1;
        if (outcomes > 1 || outcome !== kind.expected) {
          const what = `${outcome} in place of ${kind.expected}${outcomes > 1 ? ", for the second time" : ""}`;
          wrong.set(what, (wrong.get(what) ?? 0) + 1);
        }
        over += 1;
        if (over === calls) resolve();
        else if (started < calls) next();
      });
    };
    for (let index = 0; index < Math.min(IN_FLIGHT, calls); index++) next();
  });
}

/** The heap once timers have run out and buffers are returned. */
async function heapAtRest(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
