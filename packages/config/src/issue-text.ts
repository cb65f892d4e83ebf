import type { z } from "zod";
import { shown } from "./problem.ts";

/** One finding of a schema: where it is, which setting's line to show, and the words for a person. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly at: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Zod's issues in the words that all settings use: the value, then what it should be. Unknown keys become one finding
 * each. Of a union the branch that got furthest is reported, for that is the one that was meant.
 */
export function findings(
  issues: readonly z.core.$ZodIssue[],
  path: readonly PropertyKey[],
  valueAt: (path: readonly PropertyKey[]) => unknown,
): Finding[] {
  return issues.flatMap((issue) => {
    const where = [...path, ...issue.path];
    if (issue.code === "unrecognized_keys") return unknownSettings(issue, where);
    const branch = issue.code === "invalid_union" ? furthestBranch(issue.errors) : undefined;
    if (branch !== undefined) return findings(branch, where, valueAt);
    return [{ path: where, at: where, message: issueText(issue, valueAt(where)) }];
  });
}

function unknownSettings(issue: z.core.$ZodIssueUnrecognizedKeys, where: readonly PropertyKey[]): Finding[] {
  const texts = issue.message.split("\n");
  return issue.keys.map((key, i) => ({ path: where, at: [...where, key], message: texts[i] ?? issue.message }));
}

/** The branch whose complaints lie deepest; undefined when every branch refuses the value as a whole. */
function furthestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const deep = branches.filter((issues) => issues.every(isWithin));
  return deep.toSorted((a, b) => a.length - b.length)[0];
}

function isWithin(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === "unrecognized_keys";
}

function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  const what = issue.code === "invalid_union" ? unionText(issue) : plainText(issue.message);
  return `${value === undefined ? "is missing" : shown(value)}: ${what}`;
}

function unionText(issue: z.core.$ZodIssueInvalidUnion): string {
  const options = issue.errors.flat().map((inner) => plainText(inner.message).replace(/^expected /, ""));
  return options.length > 0 ? `expected ${[...new Set(options)].join(" or ")}` : plainText(issue.message);
}

/** YAML's words for JSON's types, without zod's preamble. */
function plainText(message: string): string {
  return message
    .replace(/^(Invalid|Too) [a-z ]+[:.] ?(Expected)?/, (_all, _kind, expected) =>
      expected === undefined ? "" : "expected",
    )
    .replace(/, received .*$/, "")
    .replace(/^expected object$/, "expected a map of settings")
    .replace(/^expected array$/, "expected a list")
    .replace(/^expected array to have >=1 items$/, "expected one entry at least");
}
