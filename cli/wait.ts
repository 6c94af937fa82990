import { type CliContext, sleep } from "./context.ts";
import { CliError } from "./exit-codes.ts";

const firstMs = 100;
const longestMs = 2000;

/**
 * Asks again, less and less often, until `check` answers something. On a terminal a spinner shows what is waited for.
 * @throws CliError `timedOut`
 */
export async function waitFor<T>(
  context: CliContext,
  { what, timeoutSeconds }: { readonly what: string; readonly timeoutSeconds: number },
  check: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = context.clock.now() + timeoutSeconds * 1000;
  let pauseMs = firstMs;
  let stop = () => {};
  try {
    for (;;) {
      const found = await check();
      if (found !== undefined) return found;
      if (context.clock.now() + pauseMs > deadlineMs) throw new CliError("timedOut", `timed out after ${timeoutSeconds} s: ${what}`);
      if (pauseMs === firstMs) stop = await startSpinner(context, what);
      await sleep(context, pauseMs);
      pauseMs = Math.min(longestMs, pauseMs * 1.5);
    }
  } finally {
    stop();
  }
}

async function startSpinner({ stderr }: CliContext, text: string): Promise<() => void> {
  if (!stderr.isTTY) return () => {};
  const { default: ora } = await import("ora");
  const spinner = ora({ text }).start();
  return () => void spinner.stop();
}
