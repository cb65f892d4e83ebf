import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { table } from "@stitch/lab";
import type { Spread } from "./spread.ts";

/** What one bench found; printed as a table, or as this object with --json. */
export interface Outcome {
  readonly bench: string;
  /** Every program that took part, and what it was set to. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly ratios: Readonly<Record<string, Spread>>;
  readonly figures: Readonly<Record<string, Spread | number>>;
  readonly table: readonly Readonly<Record<string, string | number>>[];
  /** Lines beneath the table that say what its words mean. */
  readonly legend?: readonly string[];
  /** A second table under a line of its own. */
  readonly beside?: { readonly title: string; readonly table: readonly Readonly<Record<string, string | number>>[] };
  /** Sentences about goals that were met. */
  readonly met?: readonly string[];
  /** Sentences about goals that were missed. */
  readonly missed: readonly string[];
}

export function print(outcome: Outcome): void {
  const facts = Object.entries({ ...outcome.versions, ...outcome.settings }).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`bench ${outcome.bench}: ${facts.join(", ")}\n${table(outcome.table)}\n`);
  for (const line of outcome.legend ?? []) process.stdout.write(`${line}\n`);
  if (outcome.beside !== undefined) process.stdout.write(`\n${outcome.beside.title}\n${table(outcome.beside.table)}\n`);
  for (const met of outcome.met ?? []) process.stdout.write(`met: ${met}\n`);
  for (const missed of outcome.missed) process.stdout.write(`missed: ${missed}\n`);
}

export function printJson({ bench, versions, settings, ratios, figures, missed }: Outcome): void {
  process.stdout.write(`${JSON.stringify({ bench, versions, settings, ratios, figures, missed })}\n`);
}

/** Keeps what the figures were computed from. */
export function keepRaw(folder: string, bench: string, raw: unknown): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${bench}.json`), `${JSON.stringify(raw, null, 2)}\n`);
}
