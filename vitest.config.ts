import { defineConfig } from "vitest/config";

const project = (name: string, timeoutSeconds: number) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeoutSeconds * 1000, hookTimeout: timeoutSeconds * 1000 },
});

export default defineConfig({
  test: {
    projects: [project("unit", 10), project("contract", 30), project("property", 60), project("parity", 60), project("e2e", 180)],
  },
});
