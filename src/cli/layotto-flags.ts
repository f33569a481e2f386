/** Flags of Layotto's own command that mean nothing here: accepted, so that its start lines work unchanged. */
export const WITHOUT_EFFECT = [
  "--logging-path <path>",
  "-f, --feature-gates <gates>",
  "--component-log-level <levels>",
  "--local-address-ip-version <version>",
  "--restart-epoch <epoch>",
  "--drain-time-s <seconds>",
  "--drain-strategy <strategy>",
  "--disable-hot-restart",
  "--parent-shutdown-time-s <seconds>",
  "--max-obj-name-len <length>",
  "--concurrency <count>",
  "--log-format-prefix-with-location <prefix>",
  "-s, --service-cluster <name>",
  "-n, --service-node <name>",
  "-p, --service-type <type>",
  "--service-meta <meta>",
  "--service-lables <labels>",
  "--cluster-domain <domain>",
  "--pod-name <name>",
  "--pod-namespace <name>",
  "--pod-ip <ip>",
  "--bootstrap-version <version>",
];

const SHORT: Readonly<Record<string, string>> = {
  sm: "service-meta",
  sl: "service-lables",
  domain: "cluster-domain",
  pns: "pod-namespace",
  pn: "pod-name",
  pi: "pod-ip",
  lf: "log-format",
  lc: "component-log-level",
  ll: "logging-level",
  lp: "logging-path",
};

/** An argument as it is known here: Go's flags are the same with one dash as with two, and Layotto's have short names of several letters. */
export function spelledOut(arg: string, known: ReadonlySet<string>): string {
  const [, name = "", value = ""] = /^-([a-z][a-z-]+)(=.*)?$/.exec(arg) ?? [];
  const long = `--${SHORT[name] ?? name}`;
  return known.has(long) ? `${long}${value}` : arg;
}
