import { Program } from "../e2e/program.ts";
import type { Certificates } from "./certificates.ts";

/** Our test service in a process of its own. */
export interface Served {
  readonly port: number;
  stop(): Promise<void>;
}

export async function serve(certificates?: Certificates): Promise<Served> {
  const tls = certificates ? ["--cert", certificates.server.cert, "--key", certificates.server.key] : [];
  const program = new Program("test/transport/test-service.fixture.ts", tls);
  await program.printed("}\n");
  return {
    port: (JSON.parse(program.stdout) as { port: number }).port,
    async stop() {
      program.kill("SIGTERM");
      await program.ended();
    },
  };
}
