import { defineConfig } from "vitest/config";

// `unit` runs anywhere in parallel; `system` starts real peers and namespaces, one file at a time; `long` does so for hours
// and is no part of `npm test`.
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
          name: "long",
          include: ["test/long/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 1_200_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
