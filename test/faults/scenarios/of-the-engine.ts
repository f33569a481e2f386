/** What these show is the engine's doing, whatever the broker: where `npm test` plays them on Redis and in-memory, the others have them by hand. */
export const OF_THE_ENGINE: readonly string[] = [
  "app-hangs",
  "app-errors",
  "app-garbage",
  "app-publishes",
  "app-exits",
  "dead-letters-refused",
  "order-errors",
  "order-failing-keys",
  "expiry",
  "memory-full",
];
