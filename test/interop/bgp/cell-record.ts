import { peer, type PeerName } from "@stitch/peers";
import { afterEach, beforeAll } from "vitest";

import type { Timing } from "./fault-cells.ts";
import { keepCell } from "./matrix-record.ts";
import { ROUTERS } from "./routers.ts";

/** In a test file: every test's result, and the times that it has added, replace those of its last run. */
export function recordCells(timings: readonly Timing[]): void {
  let versions: Readonly<Record<string, string>> = {};
  let known = 0;
  beforeAll(async () => void (versions = await versionsOf(ROUTERS)));
  afterEach(({ task }) => {
    const name = [...suitesOf(task.suite), task.name].join(" > ");
    const passed = task.result?.state !== "fail";
    keepCell({ name, passed, ended: new Date().toISOString(), versions, timings: timings.slice(known) });
    known = timings.length;
  });
}

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}

function suitesOf(suite: Named | undefined): string[] {
  return suite === undefined ? [] : [...suitesOf(suite.suite), suite.name];
}

async function versionsOf(names: readonly PeerName[]): Promise<Readonly<Record<string, string>>> {
  const found = await Promise.all(names.map(async (name) => [name, (await peer(name)).version] as const));
  return { node: process.version, ...Object.fromEntries(found) };
}
