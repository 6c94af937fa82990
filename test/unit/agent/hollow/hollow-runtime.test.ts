import { expect, it } from "vitest";
import { createHollowRuntime } from "../../../../agent/hollow/hollow-runtime.ts";
import { containerSpecOf, sandboxSpecOf } from "../../../contract/runtime-specs.ts";

it("ends a container when its time is over, though the timer is early by the clock", async () => {
  let due = (): void => {};
  const clock = {
    now: () => 1_000,
    after(_: number, run: () => void) {
      due = run;
      return () => {};
    },
  };
  const runtime = createHollowRuntime({ nodeIndex: 0, clock });
  const sandbox = await runtime.runSandbox(sandboxSpecOf("/nowhere", { annotations: { "hollow.coracle.dev/ends-after-ms": "main=10" } }));
  await runtime.startContainer(sandbox.id, containerSpecOf("image", []));
  const ended = new Promise<void>((resolve) => runtime.watch(() => resolve()));
  due();
  await ended;
  const [pod] = await runtime.list();
  expect(pod?.containers[0]?.state.kind).toBe("exited");
});
