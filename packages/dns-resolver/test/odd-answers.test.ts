import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { describe, expect, test } from "vitest";
import { respond, type Script } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { rig, rigOf, upstream } from "./rig.ts";

// What real servers were seen to answer, beside what an answer should be.

const cname = (name: string, data: string): Answer => ({ type: "CNAME", name, ttl: 300, data });
const a = (name: string, data: string): Answer => ({ type: "A", name, ttl: 60, data });
const soa = (name: string): Answer => ({
  type: "SOA",
  name,
  ttl: 600,
  data: { mname: `ns.${name}`, rname: `x.${name}`, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 40 },
});

/** Answers by name; what is not there is refused. */
function zone(data: Readonly<Record<string, Partial<Packet>>>): Script {
  return {
    udp: (query, send) => {
      const name = dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() ?? "";
      send(respond(query, data[name] ?? { flags: 0x85, answers: [] }));
    },
  };
}

describe("an alias without what it leads to", () => {
  const GSLB = {
    "www.corp.example": { answers: [cname("www.corp.example", "pool.corp.example")] },
    "pool.corp.example": { answers: [cname("pool.corp.example", "host.corp.example")] },
    "host.corp.example": { answers: [a("host.corp.example", "192.0.2.9")] },
  };

  test("is followed at the same upstream, and the whole is kept", async () => {
    const fake = await upstream(zone(GSLB));
    const { ask, count } = await rig([fake]);
    const whole = ["pool.corp.example", "host.corp.example", "192.0.2.9"];
    expect(dataOf(await ask(queryFor("www.corp.example")))).toEqual(whole);
    expect(dataOf(await ask(queryFor("www.corp.example")))).toEqual(whole);
    expect([fake.queries.length, count("cached")]).toEqual([3, 1]);
  });

  test("gets the end's NODATA, with its SOA, and its failure", async () => {
    const nothing = { answers: [], authorities: [soa("corp.example")] };
    const fake = await upstream(
      zone({
        "www.corp.example": { answers: [cname("www.corp.example", "host.corp.example")] },
        "host.corp.example": nothing,
        "lost.corp.example": { answers: [cname("lost.corp.example", "refused.corp.example")] },
      }),
    );
    const { ask } = await rig([fake]);
    const empty = await ask(queryFor("www.corp.example"));
    expect(decoded(empty)).toMatchObject({
      rcode: "NOERROR",
      answers: [{ type: "CNAME" }],
      authorities: [{ ttl: 40 }],
    });
    expect(decoded(await ask(queryFor("lost.corp.example"))).rcode).toBe("SERVFAIL");
  });

  test("is as it should be when the SOA says that there is nothing", async () => {
    const said = { answers: [cname("www.corp.example", "host.corp.example")], authorities: [soa("corp.example")] };
    const fake = await upstream(zone({ ...GSLB, "www.corp.example": said }));
    const { ask } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.corp.example")))).toEqual(["host.corp.example"]);
    expect(fake.queries.length).toBe(1);
  });

  test("that leads in a ring gets SERVFAIL", async () => {
    const fake = await upstream(
      zone({
        "a.corp.example": { answers: [cname("a.corp.example", "b.corp.example")] },
        "b.corp.example": { answers: [cname("b.corp.example", "a.corp.example")] },
      }),
    );
    const { ask } = await rigOf([{ zone: "corp.example", upstreams: [fake] }]);
    const reply = await ask(queryFor("a.corp.example", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("an alias (CNAME) leads back to itself");
    expect(fake.queries.length).toBe(2);
  });
});

// RFC 2308 section 3: the SOA is of the zone that the name would be in.
test("a SOA of another zone says nothing about the name: it is left out, and the answer is not kept", async () => {
  const fake = await upstream({
    udp: (query, send) => send(respond(query, { flags: 0x83, answers: [], authorities: [soa("elsewhere.test")] })),
  });
  const { ask } = await rig([fake]);
  for (const asked of [1, 2]) {
    expect(decoded(await ask(queryFor("www.corp.example")))).toMatchObject({ rcode: "NXDOMAIN", authorities: [] });
    expect(fake.queries.length).toBe(asked);
  }
});

test("a record of another class is no part of the answer", async () => {
  const strange: Answer = { ...a("www.corp.example", "192.0.2.66"), class: "CH" } as Answer;
  const fake = await upstream(zone({ "www.corp.example": { answers: [strange, a("www.corp.example", "192.0.2.9")] } }));
  const { ask } = await rig([fake]);
  expect(dataOf(await ask(queryFor("www.corp.example")))).toEqual(["192.0.2.9"]);
});
