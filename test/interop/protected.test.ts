/** The announcer as it stands in a rack: a session with TCP-MD5 and GTSM, watched by BFD, beside FRR. */
import { writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { STITCH } from "@stitch/cli/program";
import { peer } from "@stitch/peers";
import { execa } from "execa";
import { afterEach, expect, test, vi } from "vitest";
import { describeUnless, lacking } from "../lacking.ts";
import { Cut } from "./bfd/cut.ts";
import { eventually, ROUTER, SPEAKER, transcript, Wire } from "./bgp/wire.ts";
import { startProtectedFrr, type ProtectedRouter } from "./protected/frr.ts";

const VIP = "10.10.10.53";
const PASSWORD = "an-old-one-but-long";

const lacks = await lacking({ namespaces: true, addon: true, peers: ["frr", "nft"] });

interface PeerShown {
  readonly session: { readonly state: string; readonly reason: string | undefined };
  readonly bfd: { readonly state: string } | undefined;
}

describeUnless(lacks, "a protected session", () => {
  let wire: Wire;
  let router: ProtectedRouter | undefined;
  const outputs: (() => string)[] = [];

  afterEach(async ({ task }) => {
    try {
      if (task.result?.state !== "fail") return;
      const account = await router?.account().catch(String);
      process.stdout.write(`${[...outputs.map((read) => read()), account ?? ""].join("\n")}\n`);
    } finally {
      outputs.length = 0;
      router = undefined;
      await wire?.close();
    }
  });

  /** A resolver and an announcer on the host; `password` is what the host has. */
  async function start(password: string, watch: "bfd" | "gtsm" = "bfd"): Promise<void> {
    const watched = watch === "bfd" ? "bfd: { interval: 50ms, multiplier: 3 }" : "ttlSecurity: 1";
    wire = await Wire.lay();
    router = await startProtectedFrr(await peer("frr"), wire, PASSWORD, watch);
    await execa("ip", ["-n", wire.host.name, "address", "add", `${VIP}/32`, "dev", "lo"]);
    await writeFile(wire.file("bgp-password"), `${password}\n`);
    await writeFile(
      wire.file("site.yaml"),
      `site: nyc
instance: nyc-1
dns:
  listen: ["${VIP}:53"]
  health: "127.0.0.1:8153"
announcer:
  asn: ${SPEAKER.asn}
  routerId: ${SPEAKER.routerId}
  control: ${wire.file("announcer.sock")}
  peers:
    - { address: ${ROUTER.address}, asn: ${ROUTER.asn}, localAddress: ${SPEAKER.address}, holdTime: 90s, password: "file:bgp-password", ${watched} }
  vips:
    - { prefix: ${VIP}/32, service: dns, check: { lease: "http://127.0.0.1:8153" } }
`,
    );
    for (const role of ["dns", "announcer"]) {
      const argv = [process.execPath, STITCH, "run", role, "-c", wire.file("site.yaml")];
      outputs.push(transcript(wire.start(wire.host, argv)));
    }
  }

  async function shown(): Promise<PeerShown | undefined> {
    const argv = [process.execPath, STITCH, "status", "--json", "-c", wire.file("site.yaml")];
    const { stdout, exitCode } = await execa(argv[0] ?? "", argv.slice(1), { reject: false });
    if (exitCode !== 0) return undefined;
    return (JSON.parse(stdout) as { readonly peers: readonly PeerShown[] }).peers[0];
  }

  function becomes(what: string, is: (now: PeerShown) => boolean): Promise<true> {
    return eventually(what, 60_000, async () => {
      const now = await shown();
      return now !== undefined && is(now) ? true : undefined;
    });
  }

  function route(there: boolean): Promise<true> {
    return eventually(`the router ${there ? "has" : "has lost"} the route`, 60_000, async () =>
      (await router?.hasRoute(`${VIP}/32`)) === there ? true : undefined,
    );
  }

  // Each look is a process of its own, and there are many.
  vi.setConfig({ testTimeout: 180_000 });

  test("comes up with MD5 and BFD; a silent cut ends it long before the hold time, and it comes back", async () => {
    await start(PASSWORD);
    await route(true);
    await becomes("BFD is up", ({ bfd }) => bfd?.state === "Up");
    const cut = new Cut(await peer("nft"), wire);
    const made = await cut.make();
    await route(false);
    const gone = Math.round(Number(process.hrtime.bigint()) / 1e6 - made);
    process.stdout.write(`silent cut, hold time 90 s, BFD 50 ms x 3: the router has lost the route after ${gone} ms\n`);
    expect(gone).toBeLessThan(15_000); // looking alone takes a while on a busy machine; without BFD it would be 90 s
    const journal = readFileSync(wire.file("journal.jsonl"), "utf8").split("\n");
    expect(journal.filter((line) => line.includes('"reason":"bfd-down"'))).toHaveLength(1);
    await cut.mend();
    await route(true);
    await becomes("BFD is up again", ({ bfd }) => bfd?.state === "Up");
  });

  test("comes up with MD5 and GTSM", async () => {
    await start(PASSWORD, "gtsm");
    await route(true);
    expect(await router?.account()).toContain("may be up to 1 hops away");
  });

  test("does not come up with another password, and says what that looks like", async () => {
    await start("not-that-one");
    await becomes("the attempt timed out", ({ session }) => session.reason === "tcp-timeout");
    expect(await router?.hasRoute(`${VIP}/32`)).toBe(false);
  });
});
