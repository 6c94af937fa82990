import { createContainerdRuntime } from "../../agent/containerd/containerd-runtime.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { runtimeContract } from "../contract/runtime.contract.ts";
import { realContainerd, startContainerd, testImage } from "./containerd-fixture.ts";
import { describeWith } from "./needs.ts";

describeWith([realContainerd], "on a real containerd", () =>
  runtimeContract("containerd", async () => {
    const fixture = await startContainerd();
    const nodeName = `e2e-contract-${process.pid}`;
    return {
      open: async () =>
        createContainerdRuntime({
          endpoint: fixture.endpoint,
          instance: nodeName,
          hostAddresses: ["127.0.0.1"],
          clock: systemClock,
          log: silentLog,
        }),
      image: testImage,
      close: () => fixture.stop(),
    };
  }),
);
