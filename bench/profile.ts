interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
}

/** The places of a V8 CPU profile that the most samples fell on, with their share of the samples that did not idle. */
export function topLines(text: string, count: number): readonly string[] {
  const { nodes, samples } = JSON.parse(text) as Profile;
  const byId = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const hits = new Map<string, number>();
  let busy = 0;
  for (const id of samples) {
    const frame = byId.get(id);
    if (!frame || frame.functionName === "(idle)") continue;
    busy += 1;
    const place = frame.url === "" ? "" : ` ${frame.url.replace(/^.*\//, "")}:${frame.lineNumber + 1}`;
    const name = `${frame.functionName || "(anonymous)"}${place}`;
    hits.set(name, (hits.get(name) ?? 0) + 1);
  }
  return [...hits]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, hit], index) => `${index + 1}. ${((100 * hit) / busy).toFixed(1)} % ${name}`);
}
