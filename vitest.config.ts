import { defineConfig } from "vitest/config";

// `unit` runs anywhere in parallel; `system` starts real peers and namespaces, one file at a time; `long` soaks (npm run test:long);
// `containers` has an engine of its own (npm run test:containers).
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          testTimeout: 30_000, // a deadline for what hangs; other programs may be busy on the machine
          include: [
            "packages/*/test/**/*.test.ts",
            "lab/test/**/*.test.ts",
            "test/repository/**/*.test.ts",
            "test/peers/test/**/*.test.ts",
            "test/bench/test/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          name: "system",
          retry: 1, // times are measured against real routers: a machine that is away for a moment misses a bound once, not twice
          include: ["test/interop/**/*.test.ts", "test/flow/**/*.test.ts", "test/lab/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "long",
          include: ["test/long/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "containers",
          include: ["test/containers/**/*.test.ts"],
          globalSetup: ["test/containers/setup.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
