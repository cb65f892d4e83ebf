/** The last-origin guard between sites: what each sees of the others is what its router shows it, and no more. */
import { milliseconds, seconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";
import { Fabric, type FabricOptions } from "./fabric.ts";

const NORMAL = "UP normal";
const HELD = "DRAINING last-resort";
const GONE = "DRAINED none";

async function fabric(options: FabricOptions, verdict: "pass" | "degraded" = "pass"): Promise<Fabric> {
  const built = new Fabric(options);
  await built.rise(verdict);
  return built;
}

describe.each([
  ["each site in an AS of its own", false],
  ["all sites in one AS", true],
])("peers that export the VIP, %s", (_name, oneAs) => {
  const two = { sites: 2, exports: true, oneAs };
  const three = { sites: 3, exports: true, oneAs };

  test("a drain leaves to the other site, after its time on last resort", async () => {
    const net = await fabric(two);
    expect(net.picture).toEqual([NORMAL, NORMAL]);
    net.drain(0);
    await net.run(milliseconds(900));
    expect(net.picture).toEqual([HELD, NORMAL]);
    await net.run(milliseconds(300));
    expect(net.picture).toEqual([GONE, NORMAL]);
  });

  test("two sites drained at once both stay, on last resort: the address lives", async () => {
    const net = await fabric(two);
    net.drain(0);
    net.drain(1);
    await net.run(seconds(30));
    expect(net.picture).toEqual([HELD, HELD]);
    expect(net.fewest).toBe(2);
  });

  test("the last of two is held until the first is back", async () => {
    const net = await fabric(two);
    net.drain(0);
    await net.run(seconds(2));
    net.drain(1);
    await net.run(seconds(30));
    expect(net.picture).toEqual([GONE, HELD]);
    const { announcer, observer } = net.site(0);
    announcer.undrain(announcer.vips, "done");
    for (let i = 0; i < 5; i += 1) observer.renewed(0);
    await net.run(seconds(1));
    expect(net.picture).toEqual([NORMAL, GONE]);
    expect(net.fewest).toBe(1);
  });

  test("of three, two leave at once and the third is held", async () => {
    const net = await fabric(three);
    net.drain(0);
    net.drain(1);
    await net.run(seconds(2));
    expect(net.picture).toEqual([GONE, GONE, NORMAL]);
    net.drain(2);
    await net.run(seconds(30));
    expect(net.picture).toEqual([GONE, GONE, HELD]);
  });

  test("the origin that was to stay dies while another drains: that one is held", async () => {
    const net = await fabric(two);
    net.drain(0);
    await net.run(milliseconds(500));
    net.site(1).observer.lost("lease-closed", "killed");
    await net.run(seconds(30));
    expect(net.picture).toEqual([HELD, "DOWN none"]);
    expect(net.fewest).toBe(1);
  });

  test("when all are degraded, all announce their last resort, and none may be drained away", async () => {
    const net = await fabric(three, "degraded");
    expect(net.picture).toEqual(Array(3).fill("UP last-resort"));
    net.drain(0);
    await net.run(seconds(30));
    expect(net.picture[0]).toBe(HELD);
    expect(net.fewest).toBe(3);
  });

  test("one site's lost dependency moves its clients, and a drain of it leaves", async () => {
    const net = await fabric(two);
    net.report(0, "serving", "degraded");
    await net.run(milliseconds(100));
    expect(net.picture).toEqual(["UP last-resort", NORMAL]);
    net.drain(0);
    await net.run(seconds(2));
    expect(net.picture).toEqual([GONE, NORMAL]);
  });

  test("stopping processes leave together, since they will be gone in any case", async () => {
    const net = await fabric(two);
    const stopped = net.sites.map(({ announcer }) => announcer.stop());
    await net.run(seconds(6));
    await Promise.all(stopped);
    expect(net.sites.map(({ heard }) => heard.length)).toEqual([0, 0]);
  });
});

describe("peers that export nothing", () => {
  test("an operator's drain is held, whatever the other sites do, and force obeys", async () => {
    const net = await fabric({ sites: 2, exports: false });
    net.drain(0);
    await net.run(seconds(60));
    expect(net.picture).toEqual([HELD, NORMAL]);
    net.drain(0, true);
    await net.run(milliseconds(200));
    expect(net.picture).toEqual([GONE, NORMAL]);
  });

  test("a sibling that says it announces is the proof", async () => {
    const net = await fabric({ sites: 2, exports: false, siblings: true });
    net.drain(0);
    await net.run(seconds(2));
    expect(net.picture).toEqual([GONE, NORMAL]);
  });

  test("a sibling that is degraded, or silent, is none", async () => {
    const net = await fabric({ sites: 3, exports: false, siblings: true });
    net.report(1, "serving", "degraded");
    net.site(2).silent = true;
    net.drain(0);
    await net.run(seconds(30));
    expect(net.picture).toEqual([HELD, "UP last-resort", NORMAL]);
    net.report(1, "serving", "pass");
    await net.run(seconds(2));
    expect(net.picture).toEqual([GONE, NORMAL, NORMAL]);
  });

  test("one site alone is held; its stopping process leaves at the deadline and not before", async () => {
    const net = await fabric({ sites: 1, exports: false });
    net.drain(0);
    await net.run(seconds(60));
    expect(net.picture).toEqual([HELD]);
    const stopped = net.site(0).announcer.stop();
    await net.run(milliseconds(200));
    await stopped;
    expect(net.site(0).heard).toEqual([]);
  });

  test("a stop without proof waits for the deadline", async () => {
    const net = await fabric({ sites: 2, exports: false });
    const stopped = net.site(0).announcer.stop();
    await net.run(milliseconds(4_800));
    expect(net.picture[0]).toBe(HELD);
    await net.run(milliseconds(400));
    await stopped;
    expect(net.picture).toEqual([GONE, NORMAL]);
  });
});

describe.each([true, false])("siblings that can be asked, peers that export: %s", (exports) => {
  test("a drained site is no proof, though its service is well: the last one is held", async () => {
    const net = await fabric({ sites: 2, exports, siblings: true });
    net.drain(0);
    await net.run(seconds(2));
    expect(net.picture).toEqual([GONE, NORMAL]);
    net.drain(1);
    await net.run(seconds(30));
    expect(net.picture).toEqual([GONE, HELD]);
    expect(net.fewest).toBe(1);
  });

  test("sites drained at the same time never leave together", async () => {
    for (const apart of [0, 50, 400, 700, 990]) {
      const net = await fabric({ sites: 3, exports, siblings: true });
      for (const n of net.sites.keys()) {
        net.drain(n);
        await net.run(milliseconds(apart));
      }
      await net.run(seconds(30));
      expect(net.fewest, `drained ${apart} ms apart`).toBeGreaterThanOrEqual(1);
      expect(net.picture, `drained ${apart} ms apart`).toContain(HELD);
    }
  });
});
