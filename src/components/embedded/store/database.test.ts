import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Database } from "./database.ts";

let directory = "";
let file = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "embedded-database-"));
  file = join(directory, "test.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a commit waits for the disk: the write-ahead log is on, and synchronous is FULL", () => {
  const database = new Database(file, undefined);
  expect([database.pragma("journal_mode"), database.pragma("synchronous"), database.pragma("auto_vacuum")]).toEqual(["wal", 2, 2]);
  database.close();
});

test("a new handle begins with an empty log: what an earlier one left there is at its place before anything else is committed", () => {
  const database = new Database(file, undefined);
  const topic = database.transaction(() => database.log.createTopic("t"));
  database.transaction(() => database.log.append(topic, 1, null, null, null, Buffer.from("a")));
  const copy = join(directory, "copy.db");
  for (const end of ["", "-wal"]) copyFileSync(file + end, copy + end);
  database.close();
  expect(statSync(`${copy}-wal`).size).toBeGreaterThan(0);
  const next = new Database(copy, undefined);
  expect(statSync(`${copy}-wal`).size).toBe(0);
  expect(next.log.browse(topic, 0, 10)).toMatchObject([{ position: "1" }]);
  next.close();
});

test("a transaction that fails leaves nothing, and the handle goes on unless the disk failed", () => {
  const database = new Database(file, undefined);
  const fail = () =>
    database.transaction(() => {
      database.log.createTopic("t");
      throw new TypeError("a fault of the caller");
    });
  expect(fail).toThrow("a fault of the caller");
  expect([database.log.topics(), database.spoiled]).toEqual([[], false]);
  database.close();
});

test("a database of another program is refused", () => {
  const other = new DatabaseSync(file);
  other.exec("CREATE TABLE theirs(id INTEGER)");
  other.close();
  expect(() => new Database(file, undefined)).toThrow("is a database of another program");
});
