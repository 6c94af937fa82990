/** Variables of `server/` over the table, beside those of the functions. */
export const containerVariables = {
  host: "CORACLE_HOST",
  port: "CORACLE_PORT",
  /** Which of `cluster`, `platform` and `agent` it serves, with commas. */
  surfaces: "CORACLE_SURFACES",
  /** `off`: the table's stream and the clock turn clusters, by functions. */
  loops: "CORACLE_LOOPS",
  /** Told to end, it says that it is not ready for so long, and goes on: until no load balancer sends it anything new. */
  drainSeconds: "CORACLE_DRAIN_SECONDS",
  /** A file that it writes the certificate of its authority to, for clients. */
  caFile: "CORACLE_CA_FILE",
} as const;
