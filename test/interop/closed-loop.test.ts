/** What the announcer finds out about a router that takes the session and not the route: FRR as it is installed. */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { STITCH } from "@stitch/cli/program";
import { peer } from "@stitch/peers";
import { execa } from "execa";
import { afterEach, expect, test, vi } from "vitest";
import { describeUnless, lacking } from "../lacking.ts";
import { startFrr } from "./bgp/frr.ts";
import type { Router, RouterSettings } from "./bgp/router.ts";
import { eventually, ROUTER, SPEAKER, transcript, Wire } from "./bgp/wire.ts";

const VIP = "10.10.10.53";
/** FRR counts before it adds: of these, the third is what breaks a limit of one. */
const OTHERS = ["10.10.20.1", "10.10.20.2"];

const lacks = await lacking({ namespaces: true, addon: true, peers: ["frr"] });

interface Shown {
  readonly peers: readonly { readonly session: { readonly state: string } }[];
  readonly alarms: readonly { readonly code: string; readonly subject: string }[];
}

describeUnless(lacks, "the closed loop", () => {
  let wire: Wire;
  let router: Router | undefined;
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

  async function start(settings: Partial<RouterSettings>): Promise<void> {
    wire = await Wire.lay();
    router = await startFrr(await peer("frr"), wire, { router: ROUTER, speaker: SPEAKER, ...settings });
    for (const address of [VIP, ...OTHERS])
      await execa("ip", ["-n", wire.host.name, "address", "add", `${address}/32`, "dev", "lo"]);
    await writeFile(wire.file("hosts"), `${SPEAKER.address} probe.example\n`);
    await writeFile(
      wire.file("site.yaml"),
      `site: nyc
instance: nyc-1
dns:
  listen: ["${VIP}:53"]
  health: "127.0.0.1:8153"
  local: { hosts: ["${wire.file("hosts")}"] }
announcer:
  asn: ${SPEAKER.asn}
  routerId: ${SPEAKER.routerId}
  control: ${wire.file("announcer.sock")}
  peers: [ { address: ${ROUTER.address}, asn: ${ROUTER.asn}, localAddress: ${SPEAKER.address} } ]
  vips:
    - prefix: ${VIP}/32
      service: dns
      check: { all: [ { lease: "http://127.0.0.1:8153" }, { dns: "${VIP}", name: probe.example, type: A } ] }
      proof: { dns: "${VIP}", name: probe.example, type: A }
      traffic: { metrics: "http://127.0.0.1:8153/metrics", counter: stitch_dns_queries_total, quiet: 1000 }
${OTHERS.map((address, i) => `    - { prefix: ${address}/32, service: other-${i}, check: { exec: [/bin/true] } }`).join("\n")}
`,
    );
    for (const role of ["dns", "announcer"]) {
      const argv = [process.execPath, STITCH, "run", role, "-c", wire.file("site.yaml")];
      outputs.push(transcript(wire.start(wire.host, argv)));
    }
  }

  async function shown(): Promise<Shown | undefined> {
    const argv = [STITCH, "status", "--json", "-c", wire.file("site.yaml")];
    const { stdout, exitCode } = await execa(process.execPath, argv, { reject: false });
    return exitCode === 0 ? (JSON.parse(stdout) as Shown) : undefined;
  }

  /** Each look is a process of its own. */
  function rings(code: string, subject: string): Promise<Shown> {
    return eventually(`alarm ${code} of ${subject}`, 150_000, async () => {
      const now = await shown();
      return now?.alarms.some((alarm) => alarm.code === code && alarm.subject === subject) === true ? now : undefined;
    });
  }

  function journal(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(wire.file("journal.jsonl"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  vi.setConfig({ testTimeout: 240_000 });

  test("a router without a policy: established, all was sent and acknowledged, and nobody routes to us", async () => {
    await start({ requiresPolicy: true });
    const { peers } = await rings("router-silent", ROUTER.address);
    await rings("no-traffic", `${VIP}/32`);
    expect(peers[0]?.session.state).toBe("Established");
    expect(await router?.route(`${VIP}/32`)).toBeUndefined();
    const entries = journal();
    const decision = entries.find(({ kind, service, to }) => kind === "decision" && service === "dns" && to === "UP");
    const caused = entries.filter(({ cause }) => cause !== undefined && cause === decision?.["id"]);
    // The session may have come up later than the decision: then its beginning is what caused the UPDATE.
    expect(caused).toContainEqual(expect.objectContaining({ kind: "proof", verdict: "pass" }));
    expect(entries).toContainEqual(expect.objectContaining({ kind: "acknowledged", peer: ROUTER.address }));
  });

  test("a router that takes fewer prefixes than we announce: it says so, and so do we", async () => {
    await start({ maxPrefixes: 1 });
    await rings("prefix-limit", ROUTER.address);
    const sessions = journal().filter(({ kind, reason: why }) => kind === "session" && why === "prefix-limit");
    expect(sessions.length).toBeGreaterThan(0);
  });
});
