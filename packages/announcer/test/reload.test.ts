import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SiteDocument } from "@stitch/config";
import type { HealthReport } from "@stitch/health";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Combination } from "../src/check/combination.ts";
import type { CheckObserver, RouteCheck } from "../src/check/observer.ts";
import { announcerConfig, type AnnouncerConfig } from "../src/config.ts";
import type { Change } from "../src/reload/changes.ts";
import { readAgain } from "../src/reload/read.ts";
import { Scenario, SITE } from "./scenario.ts";

const GPU = '    - { prefix: 10.10.30.1/32, service: gpu, check: { tcp: "127.0.0.1:9000" } }\n';
const WEB = /^ {4}- { prefix: 10\.10\.20\.1.*\n/m;
const PEER_2 = /^ {4}- { address: 192\.0\.2\.102.*\n/m;

function changed(from: string | RegExp, to: string): AnnouncerConfig {
  const text = SITE.replace(from, to);
  expect(text).not.toBe(SITE);
  return announcerConfig(SiteDocument.parse(text, "site.yaml"));
}

let scenario: Scenario;

async function run(...lines: string[]): Promise<void> {
  for (const line of lines) await scenario.run(line);
}

/** dns is announced to both peers. */
beforeEach(async () => {
  scenario = new Scenario();
  await run("peer 1 up", "peer 2 up", "report dns serving pass", "renew dns 3", "expect dns UP normal");
  scenario.doings.length = 0;
});

async function reload(next: AnnouncerConfig): Promise<Change> {
  const change = scenario.announcer.reload(next);
  await run("wait 10ms");
  return change;
}

describe("a reload", () => {
  test("of the same file changes nothing and says so", async () => {
    const same = announcerConfig(SiteDocument.parse(SITE, "site.yaml"));
    expect(await reload(same)).toEqual({ kind: "accepted", changes: [] });
    expect(scenario.doings.filter((doing) => !doing.includes("watches"))).toEqual([]);
    await run("heard 1 dns:normal", "heard 2 dns:normal");
  });

  test("adds a VIP: its check starts, no session ends, and it is announced when it has risen", async () => {
    const change = await reload(changed(/$/, GPU));
    expect(change).toEqual({ kind: "accepted", changes: ["with 10.10.30.1/32 (gpu)"] });
    expect(scenario.doings).toEqual([
      "check gpu starts",
      "session 192.0.2.101 watches 4",
      "session 192.0.2.102 watches 4",
    ]);
    await run("poll gpu pass 3", "expect gpu UP normal", "heard 1 dns:normal gpu:normal");
  });

  test("takes out a VIP that nobody hears", async () => {
    expect(await reload(changed(WEB, ""))).toEqual({ kind: "accepted", changes: ["without 10.10.20.1/32 (web)"] });
    expect(scenario.doings).toContain("check web stops");
    expect(scenario.announcer.find("web")).toEqual([]);
    await run("heard 1 dns:normal");
  });

  test("does not take out a VIP that is announced: that is for a drain, which asks the guard", async () => {
    await run("poll web pass 3", "heard 1 dns:normal web:normal");
    const change = await reload(changed(WEB, ""));
    expect(change).toEqual({
      kind: "refused",
      problems: ["10.10.20.1/32 is announced; drain it first (stitch drain web), then take it out"],
    });
    await run("heard 1 dns:normal web:normal", "path 1 web other", "drain web", "wait 2s", "expect web DRAINED none");
    expect((await reload(changed(WEB, ""))).kind).toBe("accepted");
    await run("heard 1 dns:normal");
  });

  test("gives a VIP another policy without asking its check again", async () => {
    const change = await reload(
      changed('check: { lease: "http://127.0.0.1:8153" }', "$&\n      holdDown: 30s\n      rise: 2"),
    );
    expect(change).toEqual({ kind: "accepted", changes: ["10.10.10.53/32 (dns) by another policy"] });
    expect(scenario.doings.filter((doing) => doing.startsWith("check"))).toEqual([]);
    await run("heard 1 dns:normal", "lost dns lease-closed", "report dns serving pass", "renew dns 100");
    await run("expect dns RISING none", "renew dns 210", "expect dns UP normal");
  });

  test("gives a VIP another check under its living route", async () => {
    const change = await reload(changed('http://127.0.0.1:8153" }', 'http://127.0.0.1:8154" }'));
    expect(change).toEqual({ kind: "accepted", changes: ["10.10.10.53/32 (dns) by another check"] });
    expect(scenario.doings).toEqual(expect.arrayContaining(["check dns stops", "check dns starts"]));
    await run("heard 1 dns:normal", "lost dns lease-refused", "expect dns DOWN none", "heard 1");
  });

  test("adds a peer, which hears what the others hear", async () => {
    const change = await reload(changed(PEER_2, "$&    - { address: 192.0.2.103, asn: 65003 }\n"));
    expect(change).toEqual({ kind: "accepted", changes: ["with peer 192.0.2.103 port 179"] });
    expect(scenario.doings).toContain("session 192.0.2.103 starts");
    expect(scenario.doings.filter((doing) => doing.endsWith("stops"))).toEqual([]);
    await run("heard 3 dns:normal");
  });

  test("takes out a peer with a Cease, and its word about other origins with it", async () => {
    await run("path 2 dns other");
    const change = await reload(changed(PEER_2, ""));
    expect(change).toEqual({ kind: "accepted", changes: ["without peer 192.0.2.102 port 179"] });
    expect(scenario.doings).toEqual(["session 192.0.2.101 watches 3", "session 192.0.2.102 stops"]);
    await run("drain dns", "wait 5s", "expect dns DRAINING last-resort", "held dns");
  });

  test("gives one peer a new session where its settings ask for one, and leaves the other alone", async () => {
    const change = await reload(changed("asn: 65002 }", "asn: 65002, holdTime: 30s }"));
    expect(change).toEqual({ kind: "accepted", changes: ["peer 192.0.2.102 port 179 by a new session"] });
    expect(scenario.doings.filter((doing) => doing.includes("101"))).toEqual(["session 192.0.2.101 watches 3"]);
    expect(scenario.doings.filter((doing) => doing.includes("102"))).toEqual([
      "session 192.0.2.102 stops",
      "session 192.0.2.102 starts",
    ]);
    await run("heard 3 dns:normal");
  });

  test("changes a next hop under the living session", async () => {
    const change = await reload(changed("asn: 65002 }", "asn: 65002, nextHop: 192.0.2.9 }"));
    expect(change).toEqual({
      kind: "accepted",
      changes: ["peer 192.0.2.102 port 179 by other settings, in the same session"],
    });
    expect(scenario.doings.filter((doing) => doing.endsWith("stops"))).toEqual([]);
  });

  test.each([
    ["asn: 65101", "asn: 65109", /announcer\.asn cannot be changed while the announcer runs; restart it/],
    ["routerId: 192.0.2.1", "routerId: 192.0.2.2", /announcer\.routerId cannot be changed/],
    ["routerId: 192.0.2.1", "routerId: 192.0.2.1\n  control: /tmp/x.sock", /announcer\.control cannot be changed/],
    ["routerId: 192.0.2.1", "routerId: 192.0.2.1\n  kernel: {}", /announcer\.kernel cannot be changed/],
  ])("%s -> %s is refused, and changes nothing", async (from, to, text) => {
    const before = scenario.announcer.config;
    const change = await reload(changed(from, to));
    expect(change).toMatchObject({ kind: "refused" });
    expect(JSON.stringify(change)).toMatch(text);
    expect(scenario.announcer.config).toBe(before);
    expect(scenario.doings).toEqual([]);
    await run("heard 1 dns:normal");
  });

  test("is refused, and changes nothing, where a new peer cannot have the session that it asks for", async () => {
    const before = scenario.announcer.config;
    scenario.unsettable.add("192.0.2.103");
    const text = `    - { address: 192.0.2.104, asn: 65004 }\n    - { address: 192.0.2.103, asn: 65003, password: x }\n`;
    const change = await reload(
      announcerConfig(SiteDocument.parse(SITE.replace(PEER_2, text).replace(WEB, "").replace(/$/, GPU), "site.yaml")),
    );
    expect(change).toEqual({ kind: "refused", problems: ["peer 192.0.2.103: this transport cannot set TCP-MD5"] });
    expect(scenario.announcer.config).toBe(before);
    expect(scenario.announcer.peers.map(({ config }) => config.address)).toEqual(["192.0.2.101", "192.0.2.102"]);
    expect(scenario.doings).toEqual([]);
    expect(scenario.journal.entries.at(-1)).toMatchObject({ kind: "reload", accepted: false });
    await run("heard 1 dns:normal", "heard 2 dns:normal", "poll web pass 3", "heard 1 dns:normal web:normal");
  });

  test("is refused by an announcer that is stopping", async () => {
    await run("stop");
    expect(await reload(changed(/$/, GPU))).toEqual({ kind: "refused", problems: ["the announcer is stopping"] });
  });

  test("is in the journal, and the updates that it causes name it", async () => {
    await reload(changed(WEB, ""));
    await run("sent 1 dns");
    const entries = scenario.journal.entries;
    const entry = entries.find(({ kind }) => kind === "reload");
    expect(entry).toMatchObject({ accepted: true, detail: ["without 10.10.20.1/32 (web)"] });
    expect(entries.at(-1)).toMatchObject({ kind: "update", cause: entry?.id });
  });
});

describe("the file of a running announcer", () => {
  const directory = mkdtempSync(join(tmpdir(), "stitch-reload-"));
  const file = join(directory, "site.yaml");
  afterAll(() => rmSync(directory, { recursive: true }));

  test("is read as at the start", () => {
    writeFileSync(file, SITE);
    expect(readAgain(file, "nyc", "nyc-1")).toMatchObject({ ok: true, config: { asn: 65_101 } });
  });

  test.each([
    ["an unknown setting", SITE.replace("asn: 65101", "asm: 65101"), /unknown setting "asm"; did you mean "asn"/],
    ["no YAML", "site: [", /site\.yaml/],
    ["another site", SITE.replace("site: nyc", "site: lon"), /it is now the file of lon\/nyc-1, and nyc\/nyc-1 runs/],
    ["no announcer in it", "site: nyc\ninstance: nyc-1\n", /announcer/],
  ])("with %s is refused with a sentence", (_name, text, why) => {
    writeFileSync(file, text);
    const read = readAgain(file, "nyc", "nyc-1");
    expect(read.ok ? "" : read.problems.join("\n")).toMatch(why);
  });

  test("that is gone is refused with a sentence", () => {
    const read = readAgain(join(directory, "gone.yaml"), "nyc", "nyc-1");
    expect(read.ok ? "" : read.problems.join("\n")).toMatch(/gone\.yaml/);
  });
});

describe("another check under a living route", () => {
  const POLLED = changed('check: { lease: "http://127.0.0.1:8153" }', 'check: { http: "http://127.0.0.1:8153/" }');

  test("forgets what the lease said: nobody is stopping because the service once was", async () => {
    await run("report dns draining pass", "expect dns DRAINING last-resort");
    await reload(POLLED);
    expect(scenario.announcer.find("dns")[0]?.lastReport).toBeUndefined();
  });

  test("keeps what the lease said where the check is the same", async () => {
    await reload(changed('check: { lease: "http://127.0.0.1:8153" }', "$&\n      holdDown: 30s"));
    expect(scenario.announcer.find("dns")[0]?.lastReport?.phase).toBe("serving");
  });

  test("an address that is back does not make one part's report the verdict of the whole", async () => {
    const parts = '{ all: [ { lease: "http://127.0.0.1:8153" }, { tcp: "127.0.0.1:53" } ] }';
    await reload(changed('{ lease: "http://127.0.0.1:8153" }', parts));
    const vip = scenario.announcer.find("dns")[0];
    const part = { service: "dns", site: "", instance: "", phase: "serving", verdict: "pass", load: 0, reasons: [] };
    vip?.heardOf(part as HealthReport);
    vip?.judged({ verdict: "fail", reason: "fallen", detail: "", good: false });
    await run("expect dns DOWN none");
    vip?.addressChecked(false);
    vip?.addressChecked(true);
    expect(vip?.verdict).toBe("unknown");
    expect(scenario.journal.entries.findLast((entry) => entry.kind === "health")).toMatchObject({
      said: "address",
      present: true,
    });
  });
});

test.each(["all", "any"] as const)(
  "a combination of %s that a reload opens leaves an UP VIP where it is",
  async (rule) => {
    const tcp = ["127.0.0.1:53", "127.0.0.1:54"].map((target) => `{ tcp: "${target}" }`).join(", ");
    await reload(changed('{ lease: "http://127.0.0.1:8153" }', `{ ${rule}: [ ${tcp} ] }`));
    const [vip] = scenario.announcer.find("dns");
    if (vip === undefined) throw new Error("no dns");
    const parts: CheckObserver[] = [];
    const open = (part: CheckObserver): RouteCheck => {
      parts.push(part);
      return { start: () => undefined, release: () => undefined, stop: () => undefined };
    };
    new Combination({ rule, parts: [open, open], observer: vip, fall: 3 }).start();
    parts[0]?.polled({ verdict: rule === "all" ? "pass" : "fail", detail: "" });
    expect([vip.situation.state.name, vip.wish]).toEqual(["UP", "normal"]);
    parts[1]?.polled({ verdict: "pass", detail: "" });
    expect([vip.situation.state.name, vip.wish]).toEqual(["UP", "normal"]);
  },
);
