/**
 * The entry points, by the name of their file in `functions/`; each exports `handler`. Here as in the whole folder lies what the stacks that deploy the functions
 * have to know of them: no code, and nothing imported.
 */
export const entryPoints = {
  /** Function URL, response streaming: the Kubernetes API of every cluster. */
  clusterApi: "cluster-api",
  /** Function URL, response streaming: `/v1`. */
  platformApi: "platform-api",
  /** Function URL, response streaming: `/agent/v1`. */
  agentApi: "agent-api",
  /** The table's stream, `NEW_IMAGE`, filtered by `streamFilters`; `ReportBatchItemFailures`. */
  onChange: "on-change",
  /** EventBridge, once a minute. */
  reconcile: "reconcile",
  /** SQS, `ReportBatchItemFailures`. */
  deliver: "deliver",
  /** EventBridge. */
  meter: "meter",
} as const;
