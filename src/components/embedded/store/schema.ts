import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../errors.ts";

/** "LAYO": tells our files from other SQLite files. */
const APPLICATION_ID = 0x4c41594f;
const VERSION = 1;

/**
 * AUTOINCREMENT is needed: without it `pos` starts again once the newest row is gone, below the cursor of its groups.
 *
 * A group has settled every message before `upto`, except those with a row in `pending`. Such rows exist only for what is stuck (a
 * retry, a call that takes long), so that in the steady state progress costs one update a cycle. A row at or after `upto` only
 * remembers failures.
 */
const TABLES = `
CREATE TABLE topic(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE message(
  pos INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, at INTEGER NOT NULL, expires INTEGER, key TEXT, attrs TEXT, data BLOB NOT NULL
) STRICT;
CREATE INDEX message_topic ON message(topic, pos);
CREATE TABLE delayed(
  n INTEGER PRIMARY KEY, due INTEGER NOT NULL, topic INTEGER NOT NULL, expires INTEGER, key TEXT, attrs TEXT, data BLOB NOT NULL
) STRICT;
CREATE INDEX delayed_due ON delayed(due, n);
CREATE TABLE grp(
  id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL, upto INTEGER NOT NULL, expires_after INTEGER, idle_since INTEGER,
  UNIQUE(topic, name)
) STRICT;
CREATE TABLE pending(
  grp INTEGER NOT NULL, pos INTEGER NOT NULL, failures INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY(grp, pos)
) STRICT, WITHOUT ROWID;
PRAGMA application_id=${APPLICATION_ID};
PRAGMA user_version=${VERSION};
`;

/** Makes a new file ours, and refuses one that is not. */
export function prepareSchema(db: DatabaseSync, file: string): void {
  const application = pragma(db, "application_id");
  const version = pragma(db, "user_version");
  if (application === APPLICATION_ID && version === VERSION) return;
  if (application === APPLICATION_ID) {
    throw new StoreError(
      "failed_precondition",
      `${file} has format ${version}, this program reads ${VERSION}: use the program that wrote it`,
    );
  }
  if (application !== 0 || pragma(db, "schema_version") !== 0) {
    throw new StoreError("failed_precondition", `${file} is a database of another program: name another file`);
  }
  db.exec(`BEGIN IMMEDIATE;${TABLES}COMMIT`);
}

/** The value of a pragma that has one. */
export function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}
