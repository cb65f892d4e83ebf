import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CASES, type Case } from "./dns/cases.ts";
import { Comparison } from "./dns/compared.ts";
import { Field, type Absence } from "./dns/field.ts";
import { writeZone } from "./dns/names.ts";
import { summary } from "./dns/report.ts";
import { measureCase, type Measured } from "./dns/rounds.ts";
import type { Entrant } from "./dns/entrant.ts";
import type { Outcome } from "./outcome.ts";

const ROUNDS: Readonly<Record<number, number>> = { 1: 3, 2: 2 };
const QUICK_ROUNDS = 10;
const QUICK_CASES: readonly string[] = ["hit", "miss"];
const MOST_WORKERS = 2;

/** What is left out of the whole. */
export interface DnsChoice {
  readonly rounds: number | undefined;
  /** Stitch, unbound and the echo alone, 10,000 cached names and misses, one worker, more rounds. */
  readonly quick: boolean;
  /** Keys of cases. */
  readonly only: readonly string[] | undefined;
  readonly workers: number | undefined;
}

/** Why `choice` cannot be had: a sentence. */
export function problemOf({ only, workers }: DnsChoice): string | undefined {
  const keys = CASES.map(({ key }): string => key);
  const unknown = only?.find((key) => !keys.includes(key));
  if (unknown !== undefined) return `--only ${unknown}: one or more of ${keys.join(",")}`;
  if (workers !== undefined && !(workers >= 1 && workers <= MOST_WORKERS)) return `--workers: 1 or ${MOST_WORKERS}`;
  return undefined;
}

/**
 * Stitch, unbound and other resolvers of Debian beside each other, one question and one thread at a time the same for all:
 * CPU of all processes of a server per answer, how long answers take, memory, and whether answers are right.
 */
export async function benchDns(choice: DnsChoice): Promise<{ outcome: Outcome; raw: unknown }> {
  const folder = mkdtempSync(join(tmpdir(), "stitch-bench-"));
  const measured: Measured = { rounds: [], comparison: new Comparison(), memory: [] };
  const entrants: Entrant[] = [];
  const absent: Absence[] = [];
  try {
    const zone = writeZone(folder);
    for (const workers of workersOf(choice)) {
      const field = await Field.start({ folder, workers }, zone, choice.quick);
      entrants.push(...field.entrants);
      absent.push(...field.absent);
      try {
        for (const kind of casesOf(choice)) await measureCase(field, kind, folder, roundsOf(choice, workers), measured);
      } finally {
        await field.stop();
      }
    }
    return { outcome: await summary(measured, entrants, absent), raw: measured };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function workersOf({ quick, workers }: DnsChoice): readonly number[] {
  if (workers !== undefined) return [workers];
  return quick ? [1] : Array.from({ length: MOST_WORKERS }, (_, n) => n + 1);
}

function casesOf({ only, quick }: DnsChoice): readonly Case[] {
  const wanted = only ?? (quick ? QUICK_CASES : undefined);
  return CASES.filter(({ key }) => wanted === undefined || wanted.includes(key));
}

function roundsOf({ quick, rounds }: DnsChoice, workers: number): number {
  return rounds ?? (quick ? QUICK_ROUNDS : (ROUNDS[workers] ?? 1));
}
