/** Where a server listens or a client connects. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads `127.0.0.1:34904`, `[::1]:34904`, `:34904` (loopback), `unix:///run/a.sock`. Undefined when it is neither. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    return path === "" ? undefined : { path };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match && port <= 65_535 ? { host: match[1] || match[2] || "127.0.0.1", port } : undefined;
}

/** The address in the form that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  if ("path" in address) return `unix:${address.path.startsWith("/") ? "//" : ""}${address.path}`;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
