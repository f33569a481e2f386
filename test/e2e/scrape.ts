/** What Prometheus would read there: a value by its name and labels. */
export async function scrape(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(url)).text();
  return new Map([...text.matchAll(/^([^#].*) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]));
}
