const TROUBLES: Readonly<Record<string, string>> = { ENOENT: "no such file", EACCES: "no permission to read it", EISDIR: "a directory" };

/** What the system's code for a file that cannot be read means. */
export function fileTrouble(code: string): string {
  return TROUBLES[code] ?? code;
}
