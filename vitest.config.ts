import { defineConfig } from "vitest/config";

// `unit` runs anywhere in parallel; `system` starts real peers and namespaces, one file at a time; `containers` has an
// engine of its own and is not part of `npm test` (`npm run test:containers`).
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "packages/*/test/**/*.test.ts",
            "lab/test/**/*.test.ts",
            "test/repository/**/*.test.ts",
            "test/peers/test/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          name: "system",
          include: ["test/interop/**/*.test.ts", "test/flow/**/*.test.ts", "test/lab/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
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
