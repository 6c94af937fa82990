import { defineConfig } from "vitest/config";

/** Suites over real processes share a machine with others: in CI a test that fails there is tried again before it counts. */
const retriesInCi = process.env.CI === undefined ? 0 : 2;

const project = (name: string, timeoutSeconds: number, retry = 0, folder = name) => ({
  test: { name, include: [`test/${folder}/**/*.test.ts`], retry, testTimeout: timeoutSeconds * 1000, hookTimeout: timeoutSeconds * 1000 },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", 30),
      project("contract", 60, retriesInCi),
      project("property", 60),
      project("simulation", 600),
      project("model", 300),
      project("parity", 60, retriesInCi),
      project("e2e", 180, retriesInCi),
      project("aws", 240, retriesInCi, "infra"),
    ],
  },
});
