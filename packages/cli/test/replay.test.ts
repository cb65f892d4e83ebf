import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { replayJournal } from "../src/command/replay.ts";

const directory = mkdtempSync(join(tmpdir(), "stitch-replay-"));
afterAll(() => rmSync(directory, { recursive: true }));

const SITE = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100 } ]
  vips: [ { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } } ]
`;
const VIP = { vip: "10.10.10.53/32", service: "dns" };
const JOURNAL = [
  {
    id: 1,
    at: "2026-01-01T00:00:00.000Z",
    kind: "health",
    ...VIP,
    said: "report",
    phase: "serving",
    verdict: "pass",
    detail: "",
  },
  {
    id: 2,
    at: "2026-01-01T00:01:40.000Z",
    kind: "health",
    ...VIP,
    said: "lost",
    reason: "lease-closed",
    detail: "gone",
  },
  {
    id: 3,
    at: "2026-01-01T00:01:40.000Z",
    kind: "health",
    vip: "10.9.9.9/32",
    service: "old",
    said: "poll",
    verdict: "pass",
    detail: "",
  },
];

function replayed(json: boolean): string {
  const [file, journal] = [join(directory, "site.yaml"), join(directory, "journal.jsonl")];
  writeFileSync(file, SITE);
  writeFileSync(journal, JOURNAL.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  let text = "";
  expect(replayJournal({ file, json, print: (line) => void (text += line) }, journal)).toBe(0);
  return text;
}

test("a replay is a table of what was and what would have been, and the changes of routes", () => {
  const text = replayed(false);
  expect(text).toMatch(/2026-01-01T00:00:00\.000Z to 2026-01-01T00:01:40\.000Z: as recorded -> by this file/);
  expect(text).toMatch(/dns +10\.10\.10\.53\/32 +0\.00% -> 99\.\d\d% +0\.00% -> 0\.00% +0 -> 1/);
  expect(text).toMatch(/2026-01-01 00:01:40\.000 dns: UP -> DOWN \(lease-closed: gone\), route withdrawn/);
  expect(text).toMatch(/10\.9\.9\.9\/32 was recorded; this file does not have it/);
});

test("--json has all of it", () => {
  expect(JSON.parse(replayed(true))).toMatchObject({ vips: [{ service: "dns", replayed: { withdrawals: 1 } }] });
});

test("what is no journal is refused with a sentence", () => {
  const file = join(directory, "site.yaml");
  expect(() => replayJournal({ file, json: false, print: () => undefined }, join(directory, "none"))).toThrow(
    /no such file/,
  );
});
