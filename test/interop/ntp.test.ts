import { clockStepped, clockStepReference, peer, withNamespace, withoutClockAccess } from "@stitch/peers";
import { LEAP_UNKNOWN } from "@stitch/sntp-responder/wire";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { freePort } from "../free-port.ts";
import { describeUnless, lacking } from "../lacking.ts";
import {
  askTime,
  askWithChronyd,
  eventually,
  healthOf,
  ntpdigEnvironment,
  type Process,
  type ResponderAddress,
  scratch,
  startChronyd,
  startResponder,
} from "./ntp/processes.ts";

// Our responder between real programs: chronyd as the host's daemon behind it, chronyd and ntpdig as clients before it.
// None of them can set the clock of this machine, and the last test sees that none did.

const VIP = "127.77.10.123";
const OTHER_VIP = "127.77.11.123";
const DAEMON = "127.77.10.1";
const LOCAL_STRATUM_REFERENCE = 0x7f7f_0101;
/** A silent daemon is believed for 10 s; polls and a busy machine take the rest. */
const FORGOTTEN_BY_MS = 16_000;
const NO_EARLIER_THAN_MS = 8_000;
/** Seconds. On one host nothing but scheduling is between the clocks. */
const SAME_CLOCK = 0.05;

const lacksChrony = await lacking({ peers: ["chrony"] });
// ntpdig asks port 123 only, which takes a namespace of its own and so root.
const lacksNtpdig = await lacking({ namespaces: true, peers: ["chrony", "ntpsec"] });

let folder: Awaited<ReturnType<typeof scratch>>;
let clockBefore: bigint;
const running: Process[] = [];

beforeAll(async () => {
  clockBefore = clockStepReference();
  folder = await scratch();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

afterAll(async () => {
  await folder.remove();
});

async function responder(listen: string, clock: string): Promise<ResponderAddress> {
  const started = await startResponder(folder.path, { listen, clock });
  running.push(started.process);
  return started;
}

async function hostDaemon(...directives: string[]): Promise<{ process: Process; ntp: string; chronyd: string }> {
  const port = await freePort(DAEMON);
  const command = await freePort(DAEMON);
  const places = [`port ${port}`, `bindaddress ${DAEMON}`, `cmdport ${command}`, `bindcmdaddress ${DAEMON}`];
  const started = startChronyd(await peer("chrony"), folder.path, [...places, ...directives]);
  running.push(started);
  await eventually(
    () => `chronyd: ${started.output}`,
    10_000,
    () => askTime({ address: DAEMON, port }),
  );
  return { process: started, ntp: `ntp://${DAEMON}:${port}`, chronyd: `chronyd://${DAEMON}:${command}` };
}

/** Waits until this is served, and health agrees. */
async function serves({ listen, health }: ResponderAddress, stratum: number, status: number, limit: number) {
  let seen = "";
  return eventually(
    () => `stratum ${stratum} and health ${status} of ${listen.address}, now ${seen}`,
    limit,
    async () => {
      const header = await askTime(listen);
      const answer = await healthOf(health);
      seen = `${header?.stratum} and ${answer.status} ${JSON.stringify(answer.report.reasons)}`;
      return header?.stratum === stratum && answer.status === status ? { header, ...answer } : undefined;
    },
  );
}

describeUnless(lacksChrony, "chronyd", () => {
  test("as a client takes our answers and finds its clock right, for it is the same", async () => {
    const ours = await responder(`${VIP}:0`, "local");
    await serves(ours, 10, 200, 10_000);
    const { address, port } = ours.listen;
    const said = await askWithChronyd(await peer("chrony"), folder.path, `server ${address} port ${port} iburst`);
    const [, offset] = /System clock wrong by (-?[\d.]+) seconds \(ignored\)/.exec(said) ?? [];
    expect(said).toContain("System clock wrong by");
    expect(Math.abs(Number(offset))).toBeLessThan(SAME_CLOCK);
  });

  test("as the host's daemon is copied by both ways of asking; stopped, it is forgotten; continued, believed again", async () => {
    const daemon = await hostDaemon("local stratum 8");
    const both = [await responder(`${VIP}:0`, daemon.chronyd), await responder(`${OTHER_VIP}:0`, daemon.ntp)];
    for (const each of both) {
      const { header } = await serves(each, 8, 200, 10_000);
      expect(header).toMatchObject({ leap: 0, mode: 4, referenceId: LOCAL_STRATUM_REFERENCE });
    }
    daemon.process.signal("SIGSTOP");
    const stopped = performance.now();
    for (const each of both) {
      const { header, report } = await serves(each, 0, 503, FORGOTTEN_BY_MS);
      expect(performance.now() - stopped).toBeGreaterThan(NO_EARLIER_THAN_MS);
      expect(header.leap).toBe(LEAP_UNKNOWN);
      expect(report.verdict).toBe("fail");
      expect(report.reasons.map(({ code }) => code)).toEqual(["clock-unsynchronised"]);
    }
    daemon.process.signal("SIGCONT");
    for (const each of both) expect((await serves(each, 8, 200, 10_000)).header.leap).toBe(0);
  });

  test("that is not synchronised makes us say so, and never come up", async () => {
    const daemon = await hostDaemon();
    for (const [vip, clock] of [
      [VIP, daemon.chronyd],
      [OTHER_VIP, daemon.ntp],
    ] as const) {
      const { header, report } = await serves(await responder(`${vip}:0`, clock), 0, 503, 10_000);
      expect(header.leap).toBe(LEAP_UNKNOWN);
      expect(report.phase).toBe("starting");
      expect(report.reasons[0]?.detail).toContain("says that the clock is not synchronised");
    }
  });
});

describeUnless(lacksNtpdig, "ntpdig", () => {
  test("takes our answers on port 123, whose stratum auto has from chronyd where that is", async () => {
    const ntpsec = await peer("ntpsec");
    await withNamespace(async ({ enter }) => {
      let last = "";
      const daemon = startChronyd(
        await peer("chrony"),
        folder.path,
        ["port 0", "cmdport 323", "local stratum 7"],
        enter,
      );
      running.push(daemon);
      const { process: ours } = await startResponder(folder.path, { listen: `${VIP}:123`, clock: "auto", enter });
      running.push(ours);
      const env = await ntpdigEnvironment(ntpsec, folder.path);
      const command = enter(withoutClockAccess([ntpsec.program("ntpdig"), "-t", "2", VIP]));
      const said = await eventually(
        () => `stratum 7 from ntpdig, now ${last}; ours says ${ours.output}`,
        20_000,
        async () => {
          const [file = "", ...args] = command;
          const { stdout, stderr } = await execa(file, args, { env, reject: false, timeout: 10_000 });
          last = stdout + stderr;
          return last.includes(" s7 ") ? last : undefined;
        },
      );
      const [, offset] = /\(\+?-?\d{4}\) ([+-][\d.]+) \+\/-/.exec(said) ?? [];
      expect(Math.abs(Number(offset))).toBeLessThan(SAME_CLOCK);
      await Promise.all(running.splice(0).map((each) => each.stop()));
    }, "ntp");
  });
});

describe("our responder as a process", () => {
  test("ends with 0 at SIGTERM, and with 2 and a sentence when its port is taken", async () => {
    const first = await responder(`${VIP}:0`, "local");
    await serves(first, 10, 200, 10_000);
    const { address, port } = first.listen;
    const refused = startResponder(folder.path, { listen: `${address}:${port}`, clock: "local" });
    await expect(refused).rejects.toThrow(/ended with 2: .*cannot bind udp .*another program holds it/);
    expect(await first.process.stop()).toBe(0);
  });
});

test("the clock of this machine was not touched", () => {
  expect(clockStepped(clockBefore)).toBeUndefined();
});
