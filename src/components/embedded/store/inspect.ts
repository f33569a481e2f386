import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Finding } from "../../../pubsub/pubsub.ts";
import { freeBytes } from "./ballast.ts";
import type { Database } from "./database.ts";

const LOW_DISK_BYTES = 256 * 2 ** 20;

/** `f_type` of statfs(2). On a network, locks and fsync cannot be relied on; FUSE and 9p may be a network or a shared folder. */
const NETWORK: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "CIFS",
  4266872130: "SMB2",
  12805120: "Ceph",
  198183888: "Lustre",
  1397113167: "AFS",
};
const DOUBTFUL: Readonly<Record<number, string>> = { 1702057286: "FUSE", 16914839: "9p" };
const VOLATILE: Readonly<Record<number, string>> = { 16914836: "tmpfs", 2240043254: "ramfs" };

/** What the file and the place where it lies mean for its messages. */
export function inspect(file: string, db: Database): Finding[] {
  const found = fileSystemFindings(file, process.platform === "linux" ? statfsSync(dirname(file)).type : 0);
  const journal = db.pragma("journal_mode");
  const synchronous = db.pragma("synchronous");
  if (journal !== "wal" || synchronous !== 2) {
    found.push({
      level: "refuse",
      id: "embedded.not-synchronous",
      found: `${file} has journal_mode ${journal} and synchronous ${synchronous}: a message could be acknowledged before it is on disk.`,
      remedy: "Keep the file on a local disk, where SQLite's write-ahead log works.",
    });
  }
  const free = freeBytes(file);
  if (free < LOW_DISK_BYTES) {
    found.push({
      level: "warn",
      id: "embedded.disk-nearly-full",
      found: `The disk of ${file} has ${Math.floor(free / 2 ** 20)} MiB left; when it is full, publishing fails.`,
      remedy: "Make room, or lower `retention` and `retentionBytes`.",
    });
  }
  return found;
}

function fileSystemFindings(file: string, type: number): Finding[] {
  const network = NETWORK[type];
  const doubtful = DOUBTFUL[type];
  const volatile = VOLATILE[type];
  const remedy = "Keep the data directory on a local disk.";
  if (network) {
    const found = `${file} is on ${network}: over a network, two processes could own it at once, and a written message may be lost.`;
    return [{ level: "refuse", id: "embedded.network-file-system", found, remedy }];
  }
  if (doubtful) {
    const found = `${file} is on ${doubtful}, which may not keep what was written through a power cut.`;
    return [{ level: "warn", id: "embedded.unknown-file-system", found, remedy }];
  }
  if (volatile) {
    const found = `${file} is on ${volatile}: its messages end with the machine, or the container.`;
    return [{ level: "warn", id: "embedded.volatile-file-system", found, remedy }];
  }
  return [];
}
