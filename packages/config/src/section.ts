import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { shown } from "./problem.ts";

/** Edits within which an unknown key is taken for a slip of a known one. */
const SLIP = 3;
/** A key longer than this is no slip of anything; comparing it would only cost time. */
const LONGEST_KEY = 64;

/**
 * An object of settings: every key has a type, and an unknown one is an error that names the nearest known key.
 * (Silently ignoring a misspelt setting is how production surprises are made.)
 */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? unknownKeys(issue.keys, known) : undefined),
  });
}

/** One line per key, in the order of `keys`, so that SiteDocument can give each its own place in the file. */
export function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  return keys.map((key) => unknownKey(key, known)).join("\n");
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = key.length <= LONGEST_KEY && known.length > 0 ? closest(key, [...known]) : undefined;
  if (nearest !== undefined && isSlip(key, nearest)) return `unknown setting ${shown(key)}; did you mean "${nearest}"?`;
  return `unknown setting ${shown(key)}; known here: ${known.join(", ") || "none"}`;
}

function isSlip(key: string, nearest: string): boolean {
  return distance(key.toLowerCase(), nearest.toLowerCase()) <= Math.min(SLIP, Math.ceil(key.length / 2));
}
