import { SystemClock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { createLogger } from "@stitch/health";
import { expect, test, vi } from "vitest";
import { readServed, type Served } from "../src/served.ts";
import { joined, MOST_HOT_ANSWERS, MOST_HOT_BYTES } from "../src/sibling/parts.ts";
import { WarmStart } from "../src/sibling/warm-start.ts";
import { atOnce } from "../src/sliced.ts";
import type { DnsWorkers } from "../src/worker-contract.ts";
import { giving, SECRET } from "./sibling-rig.ts";
import { put, write } from "./site.ts";

const POLL = { timeout: 20_000, interval: 5 };
type Told = DnsWorkers["toWorker"];

interface Started {
  readonly start: WarmStart;
  readonly told: Told[];
  readonly lines: string[];
}

function started(workers: number): Started {
  const [told, lines]: [Told[], string[]] = [[], []];
  const log = createLogger({ service: "dns", site: "nyc", instance: "nyc-1" }, "silent");
  for (const level of ["info", "warn"] as const)
    vi.spyOn(log, level).mockImplementation((...said: unknown[]) => void lines.push(JSON.stringify(said)));
  const start = new WarmStart({ workers, clock: new SystemClock(), log, tell: (message) => void told.push(message) });
  return { start, told, lines };
}

function servedWith(warmFrom: string): Served {
  put("secret", Buffer.from(SECRET).toString("hex"));
  return atOnce(readServed(SiteDocument.load(write(`  warmFrom: ${warmFrom}\n`)), 1));
}

test("a start without siblings asks none", async () => {
  const { start, told, lines } = started(2);
  await start.take(servedWith("{ secret: secret }"));
  expect([told, lines]).toEqual([[], []]);
});

test("what a sibling gives goes to every worker, and the start goes on when each has taken it", async () => {
  const { port } = await giving(async () => [Buffer.from("a part")]);
  const { start, told, lines } = started(2);
  let done = false;
  const taking = start
    .take(servedWith(`{ secret: secret, siblings: ["127.0.0.1:${port}"] }`))
    .finally(() => (done = true));
  await vi.waitFor(() => expect(told).toHaveLength(1), POLL);
  const [order] = told;
  if (order?.kind !== "take-hot") throw new Error("another order");
  expect(Buffer.from(order.body)).toEqual(joined([Buffer.from("a part")]));
  expect(order.age).toBeGreaterThan(0);
  const { id } = order;
  start.hear({ kind: "took-hot", id, taken: { taken: 3, dropped: 1 } });
  await Promise.resolve();
  expect(done).toBe(false);
  start.hear({ kind: "took-hot", id, taken: { taken: 2, dropped: 0, fault: "checksum" } });
  await taking;
  expect(lines.join("")).toContain(`127.0.0.1:${port}: not all of what this sibling gave is used: checksum`);
  expect(lines.join("")).toContain(`"taken":5,"dropped":1},"warm start from a sibling"`);
});

test("whatever goes wrong costs one line, not the start", async () => {
  const { start, lines } = started(1);
  const served = servedWith('{ secret: secret, siblings: ["127.0.0.1:9"] }');
  const siblings = [{ address: "127.0.0.1", port: 70_000 }]; // the system's own function throws
  await start.take({ ...served, dns: { ...served.dns, warmFrom: { ...served.dns.warmFrom, siblings } } });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("siblings could not be asked: starting with what there is");
});

test("the workers share what is given, and late parts of an older order are not mixed in", async () => {
  const { start, told } = started(2);
  void start.gather();
  const gathered = start.gather();
  expect(told).toEqual(
    [1, 2].map((id) => ({
      kind: "give-hot",
      id,
      bounds: { bytes: MOST_HOT_BYTES / 2, answers: MOST_HOT_ANSWERS / 2 },
    })),
  );
  const [old, one, two] = [Buffer.from("old"), Buffer.from("one"), Buffer.from("two")];
  start.hear({ kind: "gave-hot", id: 2, part: one });
  start.hear({ kind: "gave-hot", id: 1, part: old });
  start.hear({ kind: "gave-hot", id: 2, part: two });
  expect(await gathered).toEqual([one, two]);
});
