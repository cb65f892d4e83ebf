import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { STITCH } from "../src/program.ts";

/** Which file a command went for, by its complaint about it. */
function complaint(args: readonly string[], site: string): string {
  const env = { ...process.env, STITCH_SITE: site, XDG_STATE_HOME: join(import.meta.dirname, "nowhere") };
  return spawnSync(process.execPath, [STITCH, "status", ...args], { env, encoding: "utf8" }).stderr;
}

describe("the site that a command means", () => {
  test("is what STITCH_SITE names, as in a container", () => {
    expect(complaint([], "/named/by/the/image.yaml")).toContain("/named/by/the/image.yaml");
  });

  test("is the file after -c, whatever STITCH_SITE names", () => {
    expect(complaint(["-c", "/named/by/hand.yaml"], "/named/by/the/image.yaml")).toContain("/named/by/hand.yaml");
  });

  test("is the built-in one where neither names any", () => {
    expect(complaint([], "")).toContain("the built-in site has not run here");
  });
});

describe("a mistake in the command line is one sentence that says where to look", () => {
  test.each<[args: readonly string[], said: string]>([
    [["--bogus"], "no such option: --bogus; see stitch --help"],
    [["-c"], "-c needs a value; see stitch --help"],
    [["-c", "--json"], "-c needs a value; see stitch --help"],
    [["--json=yes"], "Option '--json' does not take an argument; see stitch --help"],
  ])("%j", (args, said) => {
    expect(complaint(args, "")).toBe(`${said}\n`);
  });
});

test("--version says which one this is", () => {
  expect(spawnSync(process.execPath, [STITCH, "--version"], { encoding: "utf8" }).stdout).toMatch(
    /^stitch \d+\.\d+\.\d+\n$/,
  );
});
