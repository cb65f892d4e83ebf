import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSimulation } from "../src/apt.ts";
import {
  clockStepped,
  clockStepReference,
  inPrivateEtc,
  namespacesUnavailable,
  peer,
  peerAvailability,
  peerNames,
  proveRuns,
  withLock,
  withNamespace,
  withoutClockAccess,
} from "../src/index.ts";
import { upstream } from "../src/peer.ts";

const inCi = process.env["CI"] !== undefined;
// Without root or Linux there are no namespaces; CI has both and skips nothing.
const noNamespaces = (await namespacesUnavailable()) !== undefined && !inCi;
const noPeers = !(await peerAvailability("frr")).ok && !inCi;

let scratch = "";
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "stitch-peers-"));
});
afterAll(async () => rm(scratch, { recursive: true, force: true }));

describe("what apt says", () => {
  const simulation = [
    "Inst libyang2 (2.1.30-2 Debian:12 [amd64])",
    "Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])",
    "Inst frr [8.4.4-1] (8.4.4-1.1 Debian:12 [amd64])",
    "Conf frr (8.4.4-1.1 Debian:12 [amd64])",
  ].join("\n");

  test("only what the machine lacks is fetched, and always the package itself", () => {
    expect(parseSimulation(simulation, "frr")).toEqual([
      { name: "libyang2", version: "2.1.30-2" },
      { name: "frr", version: "8.4.4-1.1" },
    ]);
  });

  test.each([
    ["1:9.18.49-1~deb12u3", "9.18.49"],
    ["8.4.4-1.1~deb12u2", "8.4.4"],
    ["1.2.2+dfsg1-1+deb12u1", "1.2.2"],
  ])("%s is upstream %s", (debian, expected) => {
    expect(upstream(debian)).toBe(expected);
  });
});

describe("a fetched peer", () => {
  test.skipIf(noPeers).each(peerNames)(
    "%s runs out of its unpacked tree and prints its version",
    async (name) => {
      const found = await peer(name);
      expect(await proveRuns(found)).toContain(found.version);
    },
    180_000,
  );

  test.skipIf(noPeers)("is found again without asking apt", async () => {
    const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "../src/main.ts"), "frr"], {
      env: { PATH: "/nonexistent" },
      extendEnv: false,
    });
    expect(stdout).toMatch(/^frr +\d/);
  });

  test("that cannot be fetched is a sentence, not a stack", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = scratch;
    const found = await peerAvailability("bird", { cache: join(scratch, "empty"), progress: () => undefined });
    process.env["PATH"] = path;
    expect(found).toMatchObject({ ok: false, reason: expect.stringMatching(/^bird: .*apt/) });
  });
});

test("work under one lock never overlaps, and a dead holder's lock is taken over", async () => {
  const lock = join(scratch, "x.lock");
  await execa("sh", ["-c", `mkdir ${lock}; echo $$ > ${lock}/pid`]);
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await readFile("/proc/self/stat").catch(() => undefined);
    inside--;
  };
  await Promise.all([withLock(lock, work), withLock(lock, work), withLock(lock, work)]);
  expect(most).toBe(1);
});

describe("a private /etc", () => {
  test.skipIf(noNamespaces || noPeers)(
    "gives a daemon its account and leaves the machine's own files alone",
    async () => {
      const before = await readFile("/etc/passwd", "utf8");
      const frr = await peer("frr");
      const [file = "", ...args] = inPrivateEtc(
        ["sh", "-c", "id -un frr; stat -c %U /run/frr /var/tmp/frr; touch /var/lib/stitch/x && echo wrote"],
        {
          peers: [frr],
          directories: ["/var/lib/stitch"],
        },
      );
      const { stdout } = await execa(file, args);
      expect(stdout.split("\n")).toEqual(["frr", "frr", "frr", "wrote"]);
      expect(await readFile("/etc/passwd", "utf8")).toBe(before);
    },
  );
});

describe("a namespace", () => {
  test.skipIf(noNamespaces)("has lo up, sees no link of the machine, and is gone afterwards", async () => {
    const name = await withNamespace(async (namespace) => {
      const [file = "", ...args] = namespace.enter(["ip", "-o", "link"]);
      const { stdout } = await execa(file, args);
      expect(stdout.split("\n")).toHaveLength(1);
      expect(stdout).toContain("LOOPBACK,UP");
      return namespace.name;
    });
    const { stdout } = await execa("ip", ["netns", "list"]);
    expect(stdout).not.toContain(name);
  });
});

describe("a time daemon", () => {
  test("is refused when chronyd lacks -x", () => {
    expect(() => withoutClockAccess(["/usr/sbin/chronyd", "-n"])).toThrow(/-x/);
  });

  test.skipIf(process.platform !== "linux")("runs without CAP_SYS_TIME", async () => {
    const [file = "", ...args] = withoutClockAccess(["cat", "/proc/self/status"]);
    const { stdout } = await execa(file, args);
    const effective = BigInt(`0x${/CapEff:\s+(\w+)/.exec(stdout)?.[1] ?? "x"}`);
    expect((effective >> 25n) & 1n).toBe(0n);
  });

  test("would be noticed if it stepped the clock", () => {
    const now = clockStepReference();
    expect(clockStepped(now)).toBeUndefined();
    const told = clockStepped(now - 1_000_000_000n);
    const stepMs = Number(/stepped by (\d+) ms/.exec(told ?? "")?.[1]);
    expect(Math.abs(stepMs - 1_000)).toBeLessThanOrEqual(20); // two readings of a busy machine differ a little
  });
});
