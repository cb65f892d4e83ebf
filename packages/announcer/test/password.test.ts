import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, SiteDocument } from "@stitch/config";
import { afterAll, describe, expect, test } from "vitest";
import { announcerConfig } from "../src/config.ts";
import { peerPasswords } from "../src/config/password.ts";

const folder = mkdtempSync(join(tmpdir(), "stitch-password-"));
afterAll(() => rmSync(folder, { recursive: true }));

function passwordOf(setting: string): string | undefined {
  const text = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100${setting} } ]
  vips: [ { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } } ]
`;
  const document = SiteDocument.parse(text, join(folder, "site.yaml"));
  return peerPasswords(document, announcerConfig(document))[0];
}

function complaintOf(setting: string): string {
  try {
    return `no complaint: ${passwordOf(setting)}`;
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    return failure.message;
  }
}

describe("a peer's password", () => {
  test("is what stands there, or in the file beside site.yaml, without its last line break", () => {
    writeFileSync(join(folder, "bgp"), "se cret\n");
    expect(passwordOf("")).toBeUndefined();
    expect(passwordOf(', password: "plain"')).toBe("plain");
    expect(passwordOf(', password: "file:bgp"')).toBe("se cret");
    expect(passwordOf(`, password: "file:${join(folder, "bgp")}"`)).toBe("se cret");
  });

  test("that cannot be had is refused with the setting's path, and never quoted", () => {
    writeFileSync(join(folder, "empty"), "\n");
    expect(complaintOf(', password: "file:missing"')).toMatch(/peers\[0\]\.password: .*missing: no such file/);
    expect(complaintOf(', password: "file:empty"')).toMatch(/peers\[0\]\.password: is empty/);
    const long = "x".repeat(81);
    expect(complaintOf(`, password: "${long}"`)).toMatch(/has 81 octets; TCP-MD5 takes 80 at most/);
    expect(complaintOf(`, password: "${long}"`)).not.toContain(long);
  });
});
