import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dnsConfig } from "@stitch/dns-resolver";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requireLoopbackAddresses } from "../src/loopback/preflight.ts";
import { LOOPBACK, writeLoopbackSite } from "../src/loopback/site.ts";
import { loadChecked, rolesOf, siteFile } from "../src/site.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-loopback-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** macOS: 127.0.0.1 and nothing else of 127.0.0.0/8. */
function onlyLocalhost(address: string): Promise<boolean> {
  return Promise.resolve(address === "127.0.0.1");
}

function zones(forward: readonly string[]): string[] {
  return dnsConfig(loadChecked(writeLoopbackSite(directory, forward).site)).routes.map(({ zone }) => zone);
}

describe("the built-in site", () => {
  test("is good by its own rules, and has every role", () => {
    const { site, corp } = writeLoopbackSite(directory, []);
    expect(rolesOf(loadChecked(site))).toEqual(["dns", "syslog", "ntp", "announcer"]);
    expect(rolesOf(loadChecked(corp))).toEqual(["dns"]);
  });

  test("forwards nothing but its own company's names unless it is told to", () => {
    expect(zones([])).toEqual(["corp.stitch.test"]);
    expect(zones(["192.0.2.1"])).toEqual(["corp.stitch.test", "."]);
  });

  test("is written by those who run it, and not by those who only ask", () => {
    const env = { XDG_STATE_HOME: directory };
    expect(() => siteFile(undefined, env, false)).toThrow(
      /the built-in site has not run here; start it with `stitch up`/,
    );
    expect(readdirSync(directory)).toEqual([]);
    const site = siteFile(undefined, env, true);
    expect(siteFile(undefined, env, false)).toBe(site);
    expect(siteFile("other.yaml", env, false)).toBe("other.yaml");
  });

  test("says where it cannot be written", () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    expect(() => writeLoopbackSite(join(file, "below"), [])).toThrow(
      /which cannot be written \(ENOTDIR\); set XDG_STATE_HOME/,
    );
  });

  test("says on a machine without its addresses how to add each of them", async () => {
    const failure = await requireLoopbackAddresses("darwin", onlyLocalhost).catch((error: unknown) => error as Error);
    const lines = String(failure).split("\n");
    expect(lines[0]).toMatch(/^UsageError: these addresses are not on this machine: 127\.10\.10\.53, .*Add them with$/);
    const addresses = Object.values(LOOPBACK).map(({ address }) => address);
    expect(lines.slice(1)).toEqual(addresses.map((address) => `  sudo ifconfig lo0 alias ${address} 255.255.255.255`));
    expect(addresses.length).toBeGreaterThanOrEqual(5);
  });

  test("has nothing to say where the addresses are", async () => {
    await expect(requireLoopbackAddresses("linux", () => Promise.resolve(true))).resolves.toBeUndefined();
  });
});
