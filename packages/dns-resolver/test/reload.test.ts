import { request } from "node:http";
import { connect } from "node:net";
import { SystemClock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { describe, expect, test, vi } from "vitest";
import { openControl } from "../src/control.ts";
import type { Change } from "../src/reload/changes.ts";
import { Reloader } from "../src/reload/reloader.ts";
import { ReloadWishes } from "../src/reload/wishes.ts";
import { readServed, type Served } from "../src/served.ts";
import { ServingBuilder } from "../src/serving.ts";
import { atOnce } from "../src/sliced.ts";
import { whenDone } from "./rig.ts";
import { selfSigned } from "./self-signed.ts";
import { beside, put, SILENT, write } from "./site.ts";

const clock = new SystemClock();

function reader(file: string): { reloader: Reloader; adopted: Served[] } {
  const document = SiteDocument.load(file);
  const adopted: Served[] = [];
  const adopt = async (served: Served): Promise<void> => void adopted.push(served);
  const running = atOnce(readServed(document, 1));
  return { reloader: new Reloader({ document, seed: 1, running, clock, log: SILENT, adopt }), adopted };
}

function routeThatIs(critical: boolean): string {
  return `  routes: [{ zone: ".", upstreams: ["10.0.0.1"], critical: ${critical} }]\n`;
}

function problemsOf(change: Change): string {
  return change.kind === "refused" ? change.problems.join("\n") : "";
}

describe("a reload of the resolver", () => {
  test("that makes a route less critical, or critical again, leaves its cache and its upstreams as they are", async () => {
    const { reloader, adopted } = reader(write(routeThatIs(true)));
    const builder = new ServingBuilder(clock, 1, 1);
    const now = (): [number, { minor?: boolean; upstreams: readonly unknown[] }][] => {
      const served = adopted.at(-1) ?? atOnce(readServed(SiteDocument.load(beside("site.yaml")), 1));
      return [...atOnce(builder.building(served)).routes];
    };
    const [number, { upstreams, minor }] = now()[0] ?? [-1, { upstreams: [] }];
    expect([number >= 0, minor]).toEqual([true, false]);
    for (const critical of [false, true]) {
      write(routeThatIs(critical));
      const change = critical ? "route . critical" : "route . not critical any more";
      expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [change] });
      expect(now()).toEqual([[number, expect.objectContaining({ minor: !critical })]]);
      expect(now()[0]?.[1].upstreams).toBe(upstreams);
    }
  });

  test("says what is different, one phrase each", async () => {
    const zone = beside("a.zone");
    put("a.zone", "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
    const { reloader, adopted } = reader(
      write('  routes: [{ zone: ".", upstreams: ["10.0.0.1"] }, { zone: b.example, upstreams: ["10.0.0.2"] }]\n'),
    );
    write(
      `  routes: [{ zone: ".", upstreams: ["10.0.0.3"] }, { zone: c.example, upstreams: ["10.0.0.2"] }]
  local: { zones: [a.zone] }
  allow: [10.0.0.0/8]
  limit: { perNetwork: 7 }
  cache: { maxTtl: 1h }\n`,
    );
    const secret = "00112233445566778899aabbccddeeff";
    expect(await reloader.reload()).toEqual({
      kind: "accepted",
      changes: [
        "without route b.example",
        "route . by other settings, with an empty cache",
        "with route c.example",
        `with ${zone}`,
        "another allow list",
        "another budget of clients",
        "other times of the cache, for answers from now on",
      ],
    });
    expect(adopted).toHaveLength(1);
    put("a.zone", "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 2 2 3 4 5\n");
    put("cookie", secret);
    write("  cookies: { secrets: [cookie] }\n  local: { zones: [a.zone] }\n");
    const change = await reloader.reload();
    expect(change.kind === "accepted" && change.changes).toEqual(
      expect.arrayContaining([`${zone} as it is now`, "other cookie secrets"]),
    );
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [] });
    expect(reloader.counts).toEqual({ accepted: 3, refused: 0 });
  });

  test.each<[string, string, string]>([
    ["a file that is no YAML", "  routes: [\n", "not valid YAML"],
    ["an unknown setting", "  rotues: []\n", 'did you mean "routes"?'],
    ["a zone file that is not there", "  local: { zones: [b.zone] }\n", "b.zone: no such file"],
    ["other workers", "  workers: 2\n", "dns.workers cannot be changed while the resolver runs; restart it"],
    ["another size of the cache", "  cache: { size: 8MiB }\n", "dns.cache.size cannot be changed"],
    ["a secret of siblings that there was not", "  warmFrom: { secret: s }\n", "dns.warmFrom.secret cannot be changed"],
    ["another health address", '  health: "127.0.0.1:9"\n', "dns.health cannot be changed"],
  ])("with %s changes nothing and says why", async (_what, dns, why) => {
    const { reloader, adopted } = reader(write(""));
    put("s", "0f".repeat(32));
    write(dns);
    expect(problemsOf(await reloader.reload())).toContain(why);
    expect(adopted).toEqual([]);
    expect(reloader.counts).toEqual({ accepted: 0, refused: 1 });
    write("");
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [] });
  });

  test("takes another secret of siblings, and other siblings for the next start", async () => {
    put("s", "0f".repeat(32));
    const { reloader, adopted } = reader(write("  warmFrom: { secret: s }\n"));
    put("s", "f0".repeat(32));
    write('  warmFrom: { secret: s, siblings: ["127.0.0.1:9"] }\n');
    expect(await reloader.reload()).toEqual({
      kind: "accepted",
      changes: ["another secret of siblings", "other siblings, for the next start"],
    });
    expect(adopted[0]?.siblingSecret).toEqual(Buffer.alloc(32, 0xf0));
    put("s", "f0".repeat(16));
    expect(problemsOf(await reloader.reload())).toContain(
      "does not hold a secret of 64 hexadecimal digits; make one with `openssl rand -hex 32`",
    );
  });

  test("from another site's file, or with a slip in a zone file, is refused", async () => {
    put("a.zone", "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
    const { reloader, adopted } = reader(write("  local: { zones: [a.zone] }\n"));
    write("", "site: lon\ninstance: lon-1");
    expect(problemsOf(await reloader.reload())).toContain("is now of lon/lon-1, and nyc/nyc-1 runs");
    write("  local: { zones: [a.zone] }\n");
    put("a.zone", "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\nwww A 192.0.2.256\n");
    expect(problemsOf(await reloader.reload())).toContain("a.zone:4: A needs one IPv4 address");
    expect(adopted).toEqual([]);
  });

  test("takes a renewed certificate, and refuses a key that is not its own", async () => {
    const [first, second] = [selfSigned("a.test"), selfSigned("a.test")];
    put("cert", first.cert);
    put("key", first.key);
    const tls = '  tls: { listen: ["127.88.0.1:8530"], cert: cert, key: key }\n';
    const { reloader, adopted } = reader(write(tls));
    put("cert", second.cert);
    expect(problemsOf(await reloader.reload())).toContain(`${beside("key")}: is not the key of`);
    put("key", second.key);
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: ["another certificate"] });
    expect(adopted[0]?.identity?.cert).toBe(second.cert);
    put("cert", "no certificate");
    expect(problemsOf(await reloader.reload())).toContain("holds no certificate in PEM");
    write("");
    expect(problemsOf(await reloader.reload())).toContain("dns.tls.listen cannot be changed");
  });

  test("is done one after the other, so that the last file that was written counts", async () => {
    const { reloader, adopted } = reader(write(""));
    write("  allow: [10.0.0.0/8]\n");
    const first = reloader.reload();
    write("  allow: [192.168.0.0/16]\n");
    const second = reloader.reload();
    await Promise.all([first, second]);
    expect(adopted.at(-1)?.dns.allow).toEqual([{ family: "ipv4", address: "192.168.0.0", length: 16 }]);
  });

  test("that was wished for while the workers started is made up for", () => {
    const reload = vi.fn<() => Promise<Change>>(async () => ({ kind: "accepted", changes: [] }));
    const wishes = new ReloadWishes();
    wishes.serve({ reload });
    expect(reload).toHaveBeenCalledTimes(0);
    const early = new ReloadWishes();
    early.wished();
    early.wished();
    early.serve({ reload });
    expect(reload).toHaveBeenCalledTimes(1);
    early.wished();
    expect(reload).toHaveBeenCalledTimes(2);
  });
});

describe("the control socket", () => {
  test("reloads, and says what came of it", async () => {
    const path = beside("dns.sock");
    let change: Change = { kind: "accepted", changes: ["with route a.example"] };
    const control = await openControl(path, async () => change);
    whenDone(control);
    expect(await post(path)).toEqual({ status: 200, value: change });
    change = { kind: "refused", problems: ["site.yaml:3: no", "site.yaml:4: neither"] };
    const error = "nothing has been changed: site.yaml:3: no\nsite.yaml:4: neither";
    expect(await post(path)).toEqual({ status: 409, value: { error } });
  });

  test("takes no order that is longer than one, and few connections: whoever may write there must not fill the memory", async () => {
    const path = beside("dns.sock");
    whenDone(await openControl(path, never));
    expect((await post(path, JSON.stringify("x".repeat(2_000)))).status).toBe(413);
    const open = Array.from({ length: 40 }, () => connect(path));
    whenDone({ close: async () => open.forEach((socket) => socket.destroy()) });
    let closed = 0;
    for (const socket of open) {
      socket.on("error", () => socket.destroy());
      socket.on("close", () => (closed += 1));
    }
    await vi.waitFor(() => expect(closed).toBe(24), { timeout: 20_000 });
  });

  test("at a path that cannot be is an error that names the setting", async () => {
    await expect(openControl(beside("a".repeat(120)), never)).rejects.toThrow("set dns.control to a shorter one");
    const path = beside("dns.sock");
    whenDone(await openControl(path, never));
    await expect(openControl(path, never)).rejects.toThrow("another resolver is running here");
  });
});

async function never(): Promise<Change> {
  return { kind: "refused", problems: [] };
}

function post(socketPath: string, body = ""): Promise<{ status: number | undefined; value: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = body === "" ? {} : { "content-type": "application/json" };
    const call = request({ socketPath, method: "POST", path: "/reload", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode, value: JSON.parse(text) }));
    });
    call.on("error", reject);
    call.end(body);
  });
}
