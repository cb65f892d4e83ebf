import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isDomainName } from "../src/command/explain-name.ts";
import { reload } from "../src/command/reload.ts";

let directory: string;
const servers: Server[] = [];

beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "stitch-reload-"))));
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(directory, { recursive: true });
});

/** A role's control socket that answers so. */
async function role(name: string, status: number, answer: object): Promise<void> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(join(directory, name), resolve));
}

function site(...sections: readonly string[]): string {
  const file = join(directory, "site.yaml");
  writeFileSync(file, `site: nyc\n${sections.join("")}`);
  return file;
}

const DNS = 'dns:\n  listen: ["10.10.10.53:53"]\n  control: dns.sock\n';
const DNS_WITHOUT = 'dns:\n  listen: ["10.10.10.53:53"]\n';
const peers = "  peers: [ { address: 10.1.0.1, asn: 65100 } ]\n";

function announcer(): string {
  const control = `  control: ${JSON.stringify(join(directory, "announcer.sock"))}\n`;
  const vips = '  vips: [ { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } } ]\n';
  return `announcer:\n  asn: 65101\n  routerId: 10.1.0.10\n${control}${peers}${vips}`;
}

async function reloaded(file: string): Promise<string> {
  const lines: string[] = [];
  expect(await reload({ file, json: false, print: (line) => void lines.push(line) })).toBe(0);
  return lines.join("\n");
}

describe("stitch reload", () => {
  test("asks both roles, and says which of them has changed what", async () => {
    await role("dns.sock", 200, { kind: "accepted", changes: ["with route a.example", "another allow list"] });
    await role("announcer.sock", 200, { kind: "accepted", changes: [] });
    expect(await reloaded(site(DNS, announcer()))).toBe(
      "resolver: with route a.example\nresolver: another allow list\nannouncer: nothing has changed",
    );
  });

  test("goes on to the other role when one refuses, and fails in the end", async () => {
    await role("dns.sock", 409, { error: "nothing has been changed: no" });
    await role("announcer.sock", 200, { kind: "accepted", changes: ["another drain"] });
    const lines: string[] = [];
    const file = site(DNS, announcer());
    const outcome = reload({ file, json: false, print: (line) => void lines.push(line) });
    await expect(outcome).rejects.toThrow("resolver: nothing has been changed: no");
    expect(lines).toEqual(["announcer: another drain"]);
  });

  test("of one role speaks of nothing else", async () => {
    await role("dns.sock", 200, { kind: "accepted", changes: ["other cookie secrets"] });
    expect(await reloaded(site(DNS))).toBe("other cookie secrets");
  });

  test("without a socket, or with nobody behind it, says what to do", async () => {
    await expect(reloaded(site(DNS_WITHOUT))).rejects.toThrow("set dns.control, or send the process SIGHUP");
    await expect(reloaded(site(DNS))).rejects.toThrow("no resolver answers at");
  });
});

test.each([
  ["www.corp.example", true],
  ["example.", true],
  ["dns", false],
  ["all", false],
  ["10.10.10.53", false],
  ["10.10.10.53/32", false],
  ["fd00:10:10::53", false],
  ["10.1.0.1:179", false],
])("stitch explain takes %s for a domain name: %s", (target, expected) => expect(isDomainName(target)).toBe(expected));
