import { seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { beforeEach, describe, expect, test } from "vitest";
import { respond, type FakeUpstream, type Script } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor, ttlsOf } from "./fixtures.ts";
import { inTime, upstream } from "./rig.ts";
import { put, serving, write, type Site } from "./site.ts";

const cname = (name: string, data: string, ttl = 300): Answer => ({ type: "CNAME", name, ttl, data });
const a = (name: string, data: string, ttl = 60): Answer => ({ type: "A", name, ttl, data });
const RPZ = "$TTL 300\n@ SOA localhost. root.localhost. 1 2 3 4 5\n  NS localhost.\n";

type Zone = Readonly<Record<string, readonly Answer[] | Partial<Packet>>>;

/** Answers by name; a name that is not there gets NXDOMAIN. */
function zone(data: Zone): Script {
  return {
    udp: (query, send) => {
      const found = data[dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() ?? ""];
      if (found === undefined) send(respond(query, { flags: 0x83, answers: [] }));
      else send(respond(query, Array.isArray(found) ? { answers: [...found] } : { ...found }));
    },
  };
}

interface Cloaked extends Site {
  readonly fake: FakeUpstream;
  readonly clock: FakeClock;
  /** Serves with these lists, and what else stands in the file, from now on. */
  reload(lists: string, more?: string): Promise<void>;
}

/** A resolver over sockets whose only route knows `data`, with a response policy zone. */
async function cloaked(data: Zone, lists: string): Promise<Cloaked> {
  const fake = await upstream(zone(data));
  const clock = new FakeClock();
  const text = (more = ""): string =>
    `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${fake.port}"] }]\n  policies: [{ file: list, kind: rpz }]\n${more}`;
  put("list", `${RPZ}${lists}`);
  const site = await serving(write(text()), clock);
  const reload = async (next: string, more = ""): Promise<void> => {
    put("list", `${RPZ}${next}`);
    write(text(more));
    await inTime(clock, site.adopt());
  };
  return { ...site, fake, clock, reload };
}

const CHAIN = {
  "www.shop.example": [
    cname("www.shop.example", "cdn.shop.example"),
    cname("cdn.shop.example", "X.Tracker.example", 100),
    cname("x.tracker.example", "edge.cloud.example"),
    a("edge.cloud.example", "192.0.2.9"),
  ],
};

describe("names that aliases lead to", () => {
  test.each<[list: string, rcode: string, data: readonly string[], reason: string]>([
    ["*.tracker.example CNAME .", "NXDOMAIN", ["cdn.shop.example", "X.Tracker.example"], "policy-nxdomain"],
    ["x.tracker.example CNAME *.", "NOERROR", ["cdn.shop.example", "X.Tracker.example"], "policy-nodata"],
    [
      "x.tracker.example A 198.51.100.1",
      "NOERROR",
      ["cdn.shop.example", "X.Tracker.example", "198.51.100.1"],
      "policy-address",
    ],
    [
      "x.tracker.example AAAA 2001:db8::1",
      "NOERROR",
      ["cdn.shop.example", "X.Tracker.example"],
      "policy-address",
    ],
    ["*.cloud.example CNAME .", "NXDOMAIN", ["cdn.shop.example", "X.Tracker.example", "edge.cloud.example"], "policy-nxdomain"],
  ])("are judged by the lists: %s", async (list, rcode, data, reason) => {
    const { ask, count, fake } = await cloaked(CHAIN, `${list}\n`);
    for (let i = 1; i <= 3; i += 1) {
      const reply = await ask("WWW.shop.example", { edns: {} });
      expect(decoded(reply).rcode).toBe(rcode);
      expect(dataOf(reply)).toEqual(data);
      expect(decoded(reply).questions?.[0]?.name).toBe("WWW.shop.example");
      expect(count(reason as "policy-nxdomain")).toBe(i);
      expect(reply.toString("latin1")).toContain("policy list");
    }
    expect(fake.queries.length).toBe(1);
  });
});
