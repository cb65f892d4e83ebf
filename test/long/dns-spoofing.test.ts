/**
 * Somebody who can send from the upstream's address and does not see the questions floods the resolver with guesses while he
 * asks for new names all the time. Nothing of it is ever answered; what he would need is printed, the README has the numbers.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { RoleProcess } from "../role-process.ts";
import {
  ASKS_FROM,
  HEALTH,
  PORT,
  RESOLVER,
  ROUND_TRIP_MS,
  SERVER,
  type Attack,
  type Outcome,
} from "./spoofing/places.ts";

const SECONDS = 20;
const YEAR = 365 * 86_400;
/** Of a name that is worth forging, in seconds. */
const TTL = 300;
const POLL = { timeout: 60_000, interval: 50 };
const folder = mkdtempSync(join(tmpdir(), "stitch-spoofing-"));
let resolver: RoleProcess;

beforeAll(async () => {
  const file = join(folder, "site.yaml");
  writeFileSync(
    file,
    `site: nyc
instance: nyc-1
dns:
  listen: ["${RESOLVER}:${PORT}"]
  health: "127.0.0.1:${HEALTH}"
  routes: [ { zone: ".", upstreams: ["${SERVER}:${PORT}"], source: ${ASKS_FROM} } ]
`,
  );
  resolver = new RoleProcess("dns-resolver", file);
  await resolver.serving();
});

afterAll(async () => {
  await resolver.end();
  rmSync(folder, { recursive: true });
});

async function metrics(): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${HEALTH}/metrics`)).text();
  return (name) => Number(new RegExp(`^stitch_dns_${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** Those from which the kernel draws. */
function ports(): [number, number] {
  const [from = 0, to = 0] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return [from, to];
}

async function attack(wanted: Attack): Promise<Outcome> {
  const attacker = join(import.meta.dirname, "spoofing", "attacker.ts");
  const { stdout } = await execa(process.execPath, [attacker, JSON.stringify(wanted)]);
  return JSON.parse(stdout) as Outcome;
}

/** Chance that one guess at a name with so many letters hits: id, port, and the case of every letter. */
function chance(letters: number): number {
  const [from, to] = ports();
  return 1 / (65_536 * (to - from + 1) * 2 ** letters);
}

/** Years until a hit is as likely as not. Guessing all the time: at names made up below a zone, each of them another. */
function years(hitsPerSecond: number): string {
  return `${(Math.LN2 / hitsPerSecond / YEAR).toPrecision(2)} years`;
}

/** What the flood of this rate would need, in words. */
function needs(perSecond: number): string {
  const madeUp = [13, 8, 3]
    .map((letters) => `${years(perSecond * chance(letters))} with ${letters} letters`)
    .join(", ");
  // A name that is worth something is asked for upstream once in its TTL, for a round trip.
  const worth = [13, 8, 3]
    .map((letters) => `${years((perSecond * ROUND_TRIP_MS * chance(letters)) / 1_000 / TTL)} with ${letters}`)
    .join(", ");
  return `a hit is as likely as not, at made-up names, after ${madeUp}; at one name with a TTL of ${TTL} s after ${worth}`;
}

test("a blind flood at the ports of the questions is never answered from, and what an attacker would need is printed", async () => {
  const outcome = await attack({ sight: "blind", seconds: SECONDS, ports: ports() });
  const { guesses, asked, genuine, forged, failed, seconds } = outcome;
  const read = await vi.waitFor(async () => {
    const now = await metrics();
    expect(now("upstream_ignored_total")).toBeGreaterThan(0);
    return now;
  }, POLL);
  process.stdout.write(
    `dns: ${guesses} guesses in ${seconds.toFixed(0)} s (${(guesses / seconds).toFixed(0)} a second) at ${asked} questions: ${forged} forged, ${genuine} genuine, ${failed} failed answers; ` +
      `${read("upstream_ignored_total")} guesses met an open port, ${read("upstream_near_misses_total")} questions went on over TCP.\ndns: ${needs(guesses / seconds)}\n`,
  );
  expect(forged).toBe(0);
  expect(guesses).toBeGreaterThan(10_000);
  expect(genuine).toBeGreaterThan(100);
  expect(genuine).toBeGreaterThan(asked * 0.9);
});

test("the same flood is seen to hit when the attacker knows id, port and case", async () => {
  const { forged } = await attack({ sight: "sighted", seconds: 1, ports: ports() });
  expect(forged).toBeGreaterThan(0);
});
