import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { SecureContextOptions, Server } from "node:tls";

/** Loaded when it is needed: most run without, and start sooner. */
export const tlsModule = () => process.getBuiltinModule("node:tls");

/** Files in PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Authorities: a client must show a certificate of one of them (mTLS). Default: no client is asked for one. */
  readonly ca?: string;
  /** How often the files are looked at; a changed certificate serves new connections. Milliseconds; default: 5 s. */
  readonly reloadMs?: number;
  /** Gets told when changed files cannot be used; the last good ones stay. Default: a warning of the process. */
  readonly onReloadError?: (error: unknown) => void;
}

/** Files in PEM, read for each new connection, or their text itself. */
export interface ClientTls {
  /** Authorities that the server's certificate may be of. Default: those that Node knows. */
  readonly ca?: string;
  /** Our own certificate, and its key, where the server asks for one. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must be for. Default: the host of the address. */
  readonly serverName?: string;
  /** False: any certificate is taken, which protects from nobody who can get in between. Default: true. */
  readonly verify?: boolean;
}

/** Throws when a file cannot be read, or is no certificate or key. */
export function secureOptions({ cert, key, ca }: Pick<ClientTls, "cert" | "key" | "ca">): SecureContextOptions {
  const options: SecureContextOptions = {
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    minVersion: "TLSv1.2",
  };
  tlsModule().createSecureContext(options);
  return options;
}

const pem = (fileOrText: string): string | Buffer => (fileOrText.startsWith("-----BEGIN ") ? fileOrText : readFileSync(fileOrText));

/** Follows the server's files. They are looked at, since what a Kubernetes secret replaces are the links above them. The function ends it. */
export function reloading(server: Server, tls: ServerTls): () => void {
  const files = [tls.cert, tls.key, tls.ca].filter((file) => file !== undefined);
  const reload = () => {
    try {
      server.setSecureContext(secureOptions(tls));
    } catch (error) {
      // Half of a change: the other file comes in a moment, and is seen then.
      const warn =
        tls.onReloadError ?? ((reason: unknown) => process.emitWarning(`The changed TLS files cannot be used: ${String(reason)}`));
      warn(error);
    }
  };
  for (const file of files) watchFile(file, { interval: tls.reloadMs ?? 5_000, persistent: false }, reload);
  return () => {
    for (const file of files) unwatchFile(file, reload);
  };
}
