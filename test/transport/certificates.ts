import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provide } from "../brokers/debian.ts";

export interface Certificates {
  /** Everything below lies in it; the caller deletes it. */
  readonly directory: string;
  readonly ca: string;
  /** Good for localhost, 127.0.0.1 and `SERVER_NAME`. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** What gRPC's interoperability tests call the server, wherever it is. */
export const SERVER_NAME = "foo.test.google.fr";

/** Why no certificates can be made here; undefined: they can. */
export function opensslAvailable(): string | undefined {
  return provide("openssl", "openssl");
}

/** An authority, and a certificate of it for either side, as PEM files in a temporary folder. */
export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), "certificates-"));
  const file = (name: string) => join(directory, name);
  const certificate = (name: string, extension: string, signed: readonly string[]) => {
    const made = { cert: file(`${name}.pem`), key: file(`${name}-key.pem`) };
    const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", `/CN=${name}`];
    const args = ["req", "-x509", ...fresh, "-keyout", made.key, "-out", made.cert, "-addext", extension, ...signed];
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
    return made;
  };
  const ca = certificate("authority", "keyUsage=critical,keyCertSign", []);
  const signed = ["-CA", ca.cert, "-CAkey", ca.key, "-addext", "basicConstraints=critical,CA:FALSE"];
  const names = `subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:*.test.google.fr,DNS:${SERVER_NAME}`;
  return {
    directory,
    ca: ca.cert,
    server: certificate("server", names, signed),
    client: certificate("client", "extendedKeyUsage=clientAuth", signed),
  };
}
