import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Scenario } from "./scenario.ts";

const temporary = mkdtempSync(join(tmpdir(), "stitch-scenarios-"));
afterAll(() => rmSync(temporary, { recursive: true }));

const directory = join(import.meta.dirname, "scenario");
const files = readdirSync(directory).filter((name) => name.endsWith(".scn"));

describe("scenarios of the decision", () => {
  test("every scenario file is read", () => {
    expect(files).toHaveLength(41);
  });

  test.each(files)("%s", async (name) => {
    const lines = readFileSync(join(directory, name), "utf8").split("\n");
    expect(lines[0], "a scenario opens with a sentence of intent").toMatch(/^# .+\.$/);
    const scenario = new Scenario(join(temporary, `${name}.drains.json`), join(temporary, `${name}.flaps.json`));
    let statements = 0;
    for (const [i, line] of lines.entries()) {
      const text = line.replace(/#.*/, "").trim();
      if (text === "") continue;
      if (/^(expect|reason|heard|held|never|drained|released|stopped|burden)\b/.test(text)) statements += 1;
      try {
        await scenario.run(text);
      } catch (failure) {
        throw new Error(`${name}:${i + 1}: ${text}: ${(failure as Error).message}`, { cause: failure });
      }
    }
    await scenario.ended();
    expect(statements, "a scenario states something").toBeGreaterThan(1);
  });
});
