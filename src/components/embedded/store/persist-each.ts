import { isFull } from "../errors.ts";
import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import type { Extent } from "./progress.ts";

/**
 * Writes the progress of each group in a transaction of its own, when there was no room for all of it: what one has no room for keeps nothing
 * of the others from the disk, and so from retention. True: some of it stands.
 */
export function persistEach(db: Database, catalog: Catalog, extent: Extent): boolean {
  let some = false;
  for (const group of catalog.allGroups()) {
    try {
      db.transaction(() => group.persist(db.rows, extent));
      some = true;
    } catch (error) {
      if (db.spoiled || !isFull(error)) throw error;
      group.resync(db.rows);
    }
  }
  return some;
}
