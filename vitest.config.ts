import { defineConfig } from "vitest/config";

// Three projects: `unit` runs anywhere in parallel; `interop` and `lab` start real peers and namespaces, one file at a time.
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
    ],
  },
});
