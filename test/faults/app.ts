import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { COMPILED } from "../e2e/sidecar.ts";
import type { AppConduct, AppOrders } from "./app-conduct.ts";
import type { Delivery, Ledger, Result } from "./ledger.ts";

const SCRIPT = fileURLToPath(new URL("app.fixture.ts", import.meta.url));

/** The app of all replicas: a process of its own, and what it does is written into the ledger. */
export class App {
  readonly #ledger: Ledger;
  readonly #orders: Omit<AppOrders, "conduct">;
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #stderr = "";
  #alive = false;
  /** Calls that it has not ended yet, by their place in its process. */
  readonly #running = new Map<string, Delivery>();

  constructor(ledger: Ledger, orders: Omit<AppOrders, "conduct">) {
    this.#ledger = ledger;
    this.#orders = orders;
  }

  async start(conduct: AppConduct = { kind: "succeeds" }): Promise<void> {
    this.#running.clear();
    const orders: AppOrders = { ...this.#orders, conduct };
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(orders)], {
      env: { ...process.env, ...COMPILED },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    const listening = Promise.withResolvers<void>();
    createInterface(child.stdout).on("line", (line) => (line === "listening" ? listening.resolve() : this.#wrote(line)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4_000);
    });
    // "close": what is in the pipe has been read.
    this.#alive = true;
    this.#ended = once(child, "close").then(() => {
      this.#alive = false;
      listening.reject(new Error(`the app ended while it started:\n${this.#stderr}`));
    });
    await listening.promise;
  }

  /** It may answer what it has, and what it will get. */
  tell(): void {
    this.#child?.stdin?.write("go on\n");
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The calls that it has at the moment, or had when it was killed. */
  get running(): readonly Delivery[] {
    return [...this.#running.values()];
  }

  /** What it complained of last. */
  get complaints(): string {
    return this.#stderr;
  }

  #wrote(line: string): void {
    const [what, ...words] = line.split(" ");
    const [first = "", second = "", third = "", fourth = "", fifth = ""] = words;
    if (what === "called") {
      const key = third === "-" ? undefined : third;
      const delivery: Delivery = { number: Number(second), key, replica: Number(fourth), at: Number(fifth) };
      this.#running.set(first, delivery);
      this.#ledger.delivered(delivery);
    } else if (what === "ended") {
      const delivery = this.#running.get(first);
      if (!delivery) return;
      this.#running.delete(first);
      this.#ledger.ended(delivery, second as Result);
    } else if (what === "dead") this.#ledger.deadLettered(Number(first), second);
    else if (what === "published") this.#ledger.acknowledge(Number(first), second === "-" ? undefined : second);
  }
}
