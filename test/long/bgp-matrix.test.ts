import { minutes } from "@stitch/clock";
import { afterAll, describe } from "vitest";

import { recordCells } from "../interop/bgp/cell-record.ts";
import {
  faultCells,
  flapCell,
  internalCells,
  printTimings,
  protectionCells,
  type Timing,
} from "../interop/bgp/fault-cells.ts";
import { ROUTERS } from "../interop/bgp/routers.ts";
import { HOLD_TIMES, transportCells } from "../interop/bgp/transport-cells.ts";

// Every fault with every router, at the hold times that people use, and ten minutes of flapping.

const timings: Timing[] = [];
recordCells(timings);

for (const name of ROUTERS) {
  describe(`our speaker and ${name}`, () => {
    for (const holdTime of HOLD_TIMES) faultCells(name, holdTime, timings);
    transportCells(name, HOLD_TIMES, timings);
    flapCell(name, minutes(10), timings);
  });
}

for (const name of ["frr", "bird"] as const) {
  describe(`our speaker and ${name}, protected and within one AS`, () => {
    protectionCells(name, timings);
    internalCells(name, timings);
  });
}

afterAll(() => printTimings(timings));
