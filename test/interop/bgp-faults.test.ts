import { seconds } from "@stitch/clock";
import { afterAll } from "vitest";

import { describeUnless, lacking } from "../lacking.ts";
import { faultCells, flapCell, internalCells, printTimings, protectionCells, type Timing } from "./bgp/fault-cells.ts";
import { ROUTERS } from "./bgp/routers.ts";
import { transportCells } from "./bgp/transport-cells.ts";

// One cell of each fault with the two routers that forward, an IPv6 session with each router; every cell with every router is in test/long.

const timings: Timing[] = [];

for (const name of ["frr", "bird"] as const) {
  const lacks = await lacking({ namespaces: true, peers: [name] });
  describeUnless(lacks, `our speaker and ${name}`, () => {
    faultCells(name, seconds(3), timings);
    protectionCells(name, timings, 1);
    internalCells(name, timings);
    if (name === "bird") flapCell(name, seconds(10), timings);
  });
}

for (const name of ROUTERS) {
  const lacks = await lacking({ namespaces: true, peers: [name] });
  describeUnless(lacks, `our speaker and ${name}`, () => {
    transportCells(name, [seconds(3)], timings);
  });
}

afterAll(() => printTimings(timings));
