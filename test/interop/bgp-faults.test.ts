import { seconds } from "@stitch/clock";
import { afterAll, describe } from "vitest";

import { faultCells, flapCell, internalCells, printTimings, protectionCells, type Timing } from "./bgp/fault-cells.ts";
import { ROUTERS } from "./bgp/routers.ts";
import { missingRouters } from "./bgp/routers-here.ts";
import { transportCells } from "./bgp/transport-cells.ts";

// One cell of each fault with the two routers that forward, an IPv6 session with each router; every cell with every router is in test/long.

const ci = process.env["CI"] !== undefined;
// In CI nothing is skipped: there a missing peer fails.
const missing = await missingRouters();
const timings: Timing[] = [];

for (const name of ["frr", "bird"] as const) {
  const reason = ci ? undefined : missing.get(name);
  describe.skipIf(reason !== undefined)(`our speaker and ${name}${reason === undefined ? "" : ` (${reason})`}`, () => {
    faultCells(name, seconds(3), timings);
    protectionCells(name, timings, 1);
    internalCells(name, timings);
    if (name === "bird") flapCell(name, seconds(10), timings);
  });
}

for (const name of ROUTERS) {
  const reason = ci ? undefined : missing.get(name);
  describe.skipIf(reason !== undefined)(`our speaker and ${name}${reason === undefined ? "" : ` (${reason})`}`, () => {
    transportCells(name, [seconds(3)], timings);
  });
}

afterAll(() => printTimings(timings));
