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

it("waits for the end of no container that was stopped, however long it would have slept", async () => {
  let waiting = 0;
  const clock = {
    now: () => 1_000,
    after() {
      waiting++;
      return () => void waiting--;
    },
  };
  const runtime = createHollowRuntime({ nodeIndex: 0, clock });
  const sandbox = await runtime.runSandbox(sandboxSpecOf("/nowhere", { annotations: { "hollow.coracle.dev/ends-after-ms": "main=1000" } }));
  await runtime.startContainer(sandbox.id, containerSpecOf("image", ["sleep", "20d"]));
  expect(waiting).toBe(1);
  await runtime.removeSandbox(sandbox.id);
  expect(waiting).toBe(0);
});
