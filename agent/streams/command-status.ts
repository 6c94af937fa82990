/** How a command ended, for the error channel. */
export type CommandOutcome = { readonly kind: "exited"; readonly exitCode: number } | { readonly kind: "failed"; readonly message: string };

/** As a `Status`, since protocol version 4 (k8s.io/apimachinery/pkg/util/remotecommand). */
export function statusOfOutcome(outcome: CommandOutcome): object {
  if (outcome.kind === "failed") {
    const message = `Internal error occurred: ${outcome.message}`;
    const details = { causes: [{ message: outcome.message }] };
    return { metadata: {}, status: "Failure", message, reason: "InternalError", details, code: 500 };
  }
  const { exitCode } = outcome;
  if (exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: textOfOutcome(outcome),
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

/** As a text, which is empty for a success: earlier versions. */
export function textOfOutcome(outcome: CommandOutcome): string {
  if (outcome.kind === "failed") return `Internal error occurred: ${outcome.message}`;
  return outcome.exitCode === 0 ? "" : `command terminated with non-zero exit code: exit status ${outcome.exitCode}`;
}
