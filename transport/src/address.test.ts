import { expect, test } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";

test.each([
  ["127.0.0.1:34904", { host: "127.0.0.1", port: 34904 }],
  [":80", { host: "127.0.0.1", port: 80 }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["unix:///run/a.sock", { path: "/run/a.sock" }],
  ["unix:a.sock", { path: "a.sock" }],
  ["localhost", undefined],
  ["localhost:99999", undefined],
  ["unix:", undefined],
])("%s", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test("what is formatted can be parsed", () => {
  for (const text of ["127.0.0.1:1", "[::1]:2", "unix:///run/a.sock", "unix:a.sock"]) {
    const address = parseAddress(text);
    expect(address && formatAddress(address)).toBe(text);
  }
});
