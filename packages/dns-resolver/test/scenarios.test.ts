import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { play } from "./scenario/play.ts";
import { parseRpl } from "./scenario/rpl.ts";

const FOLDER = join(import.meta.dirname, "scenarios");
const FILES = globSync("*.rpl", { cwd: FOLDER }).toSorted();

describe("scenarios with simulated time", () => {
  test.each(FILES.map((file) => [parseRpl(readFileSync(join(FOLDER, file), "utf8")).title, file]))(
    "%s (%s)",
    async (_title, file) => {
      await expect(play(parseRpl(readFileSync(join(FOLDER, file), "utf8")), file)).resolves.toBeUndefined();
    },
  );
});

describe("the player of scenarios", () => {
  const text = readFileSync(join(FOLDER, "forward.rpl"), "utf8");

  test.each([
    ["another address in the answer", "192.0.2.80\n", "192.0.2.81\n"],
    ["another TTL", "www.example. 300 IN A", "www.example. 299 IN A"],
    [
      "another rcode",
      "NOERROR\nSECTION QUESTION\nwww.example. IN A\nSECTION ANSWER\nwww.example. 300",
      "NXDOMAIN\nSECTION QUESTION\nwww.example. IN A\nSECTION ANSWER\nwww.example. 300",
    ],
    ["a question more", "ASKED 2", "ASKED 3"],
  ])("sees %s", async (_, from, to) => {
    const at = text.lastIndexOf(from);
    expect(at).toBeGreaterThan(0);
    const wrong = text.slice(0, at) + to + text.slice(at + from.length);
    await expect(play(parseRpl(wrong), "forward.rpl")).rejects.toThrow(/forward\.rpl:\d+, step \d+/);
  });

  test("says where a scenario cannot be read", () => {
    expect(() => parseRpl(text.replace("RANGE_END", "RANGE_STOP"))).toThrow(/line \d+: "RANGE_STOP" cannot stand here/);
  });
});
