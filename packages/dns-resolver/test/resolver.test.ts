import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REASONS } from "../src/reasons.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { bench, client, dataOf, decoded, queryFor, zoneFrom } from "./fixtures.ts";

const ZONE = zoneFrom(`$ORIGIN stitch.test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 30
@ NS ns
ns A 192.0.2.1
www CNAME ns
big TXT ${Array.from({ length: 4 }, (_, i) => `"${String(i).repeat(200)}"`).join(" ")}
a.b.deep A 192.0.2.9
out CNAME elsewhere.example.
loop CNAME loop
ring CNAME gnir
gnir CNAME ring
`);

function reasonOf(resolver: { reason: number }): string {
  return REASONS[resolver.reason] ?? "?";
}

describe("local data", () => {
  test("answers with authority, and follows an alias inside the zone", () => {
    const { ask, resolver } = bench([ZONE]);
    const reply = ask(queryFor("WwW.stitch.test"));
    expect(reply && dataOf(reply)).toEqual(["ns.stitch.test", "192.0.2.1"]);
    expect(reply && decoded(reply)).toMatchObject({ id: 0x1234, rcode: "NOERROR", flag_aa: true, flag_ra: true });
    expect(reply && decoded(reply).questions?.[0]?.name).toBe("WwW.stitch.test");
    expect(reasonOf(resolver)).toBe("local");
  });

  test("says NXDOMAIN or NODATA with the SOA, whose TTL is at most its minimum", () => {
    const { ask } = bench([ZONE]);
    const missing = ask(queryFor("nope.stitch.test"));
    expect(missing && decoded(missing)).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ type: "SOA", ttl: 30 }] });
    const empty = ask(queryFor("ns.stitch.test", { type: "AAAA" }));
    expect(empty && decoded(empty)).toMatchObject({ rcode: "NOERROR", answers: [], authorities: [{ type: "SOA" }] });
  });

  test("has names that exist only because of what is below them", () => {
    const { ask } = bench([ZONE]);
    const reply = ask(queryFor("deep.stitch.test"));
    expect(reply && decoded(reply).rcode).toBe("NOERROR");
  });

  test("gives an alias that leads elsewhere alone, and survives one that leads to itself", () => {
    const { ask } = bench([ZONE]);
    const outside = ask(queryFor("out.stitch.test"));
    expect(outside && dataOf(outside)).toEqual(["elsewhere.example"]);
    const loop = ask(queryFor("loop.stitch.test"), { tcp: true });
    expect(loop && dataOf(loop)).toEqual(["loop.stitch.test"]);
    const ring = ask(queryFor("ring.stitch.test"), { tcp: true });
    expect(ring && dataOf(ring)).toEqual(["gnir.stitch.test", "ring.stitch.test"]);
  });

  test("knows localhost, what is below it, and its reverse", () => {
    const { ask } = bench();
    for (const name of ["localhost", "app.LOCALHOST"]) {
      const reply = ask(queryFor(name));
      expect(reply && dataOf(reply)).toEqual(["127.0.0.1"]);
    }
    const reverse = ask(queryFor("1.0.0.127.in-addr.arpa", { type: "PTR" }));
    expect(reverse && dataOf(reverse)).toEqual(["localhost"]);
  });
});

describe("who may ask what", () => {
  test("allow list: a stranger is refused before anything is looked up", () => {
    const { ask, resolver } = bench([ZONE]);
    const reply = ask(queryFor("ns.stitch.test", { edns: { nsid: true } }), { peer: client(203, 0, 113, 7) });
    expect(reply && decoded(reply)).toMatchObject({ rcode: "REFUSED", answers: [] });
    expect(reply?.length).toBeLessThan(70);
    expect(reasonOf(resolver)).toBe("client-not-allowed");
  });

  test("a name without a route is refused, and the extended error says how to forward", () => {
    const { ask, resolver } = bench([ZONE]);
    const reply = ask(queryFor("example.com", { edns: {} }));
    expect(reply && decoded(reply).rcode).toBe("REFUSED");
    expect(Buffer.from(reply ?? []).toString("latin1")).toContain("add dns.routes");
    expect(reasonOf(resolver)).toBe("no-route");
  });

  test("a transfer is refused", () => {
    const { ask, resolver } = bench([ZONE]);
    const reply = ask(queryFor("stitch.test", { type: "AXFR" }));
    expect(reply && decoded(reply).rcode).toBe("REFUSED");
    expect(reasonOf(resolver)).toBe("transfer-refused");
  });

  test.each(["stitch.test", "www.elsewhere.example"])("ANY gets HINFO alone, for %s", (name) => {
    const { ask, resolver } = bench([ZONE], ["."]);
    const reply = decoded(ask(queryFor(name, { type: "ANY" })) ?? new Uint8Array());
    expect(reply.rcode).toBe("NOERROR");
    expect(reply.answers).toMatchObject([{ type: "HINFO", data: { cpu: "RFC8482", os: "" } }]);
    expect(reasonOf(resolver)).toBe("any-minimal");
  });

  test("RD=0 policy: local data is answered, a question for a route is refused", () => {
    const { ask, resolver } = bench([ZONE], ["."]);
    const reply = ask(queryFor("example.com", { flags: 0 }));
    expect(reply && decoded(reply).rcode).toBe("REFUSED");
    expect(reasonOf(resolver)).toBe("recursion-not-desired");
    const local = ask(queryFor("localhost", { flags: 0 }));
    expect(local && dataOf(local)).toEqual(["127.0.0.1"]);
    expect(local && decoded(local).flag_rd).toBe(false);
  });

  test("the longest suffix answers, by labels", () => {
    const { resolver, ask } = bench([], [".", "corp.example", "lab.corp.example"]);
    const placeOf = (name: string): number => {
      expect(ask(queryFor(name))).toBeUndefined();
      return resolver.place;
    };
    expect(placeOf("www.example")).toBe(0);
    expect(placeOf("notcorp.example")).toBe(0);
    expect(placeOf("CORP.example")).toBe(1);
    expect(placeOf("a.b.lab.corp.example")).toBe(2);
    expect(placeOf("xlab.corp.example")).toBe(1);
  });
});

describe("identity", () => {
  test("NSID says site and instance, only when asked", () => {
    const { ask } = bench();
    const asked = ask(queryFor("localhost", { edns: { nsid: true } }));
    expect(Buffer.from(asked ?? []).toString("latin1")).toContain("nyc/nyc-1");
    const unasked = ask(queryFor("localhost", { edns: {} }));
    expect(Buffer.from(unasked ?? []).toString("latin1")).not.toContain("nyc/nyc-1");
  });

  test("id.server in class CH says the same", () => {
    const { ask, resolver } = bench();
    const reply = ask(queryFor("ID.server", { type: "TXT", class: "CH" }));
    expect(reply && dataOf(reply)).toEqual(["nyc/nyc-1"]);
    expect(reasonOf(resolver)).toBe("identity");
  });
});

describe("size", () => {
  test("an answer that does not fit comes empty with TC, and whole over TCP", () => {
    const { ask } = bench([ZONE]);
    const query = queryFor("big.stitch.test", { type: "TXT" });
    const cut = ask(query);
    expect(cut && decoded(cut)).toMatchObject({ flag_tc: true, answers: [] });
    const whole = ask(query, { tcp: true });
    expect(whole && decoded(whole)).toMatchObject({ flag_tc: false });
    expect(whole?.length).toBeGreaterThan(800);
  });

  test.each([
    [100, 512],
    [512, 512],
    [700, 700],
    [4_096, 1_232],
  ])("a client that offers %i gets at most %i bytes", (size, limit) => {
    const { ask } = bench([ZONE]);
    const reply = ask(queryFor("big.stitch.test", { type: "TXT", edns: { size, nsid: true } }));
    expect(reply?.length).toBeLessThanOrEqual(limit);
    expect(reply && decoded(reply).flag_tc).toBe(limit < 900);
  });
});

describe("queries that are none", () => {
  const good = queryFor("ns.stitch.test", { edns: {} });
  const changed = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = Uint8Array.from(good);
    copy.set(bytes, at);
    return copy;
  };
  test.each([
    ["eleven bytes", good.slice(0, 11), undefined, "too-short"],
    ["a response", changed(2, 0x81), undefined, "is-response"],
    ["opcode 15", changed(2, 0x79), 4, "opcode-unsupported"],
    ["no question", changed(4, 0, 0), 1, "malformed"],
    ["65535 of everything", changed(4, 255, 255, 255, 255, 255, 255, 255, 255), 1, "malformed"],
    ["a pointer as name", changed(12, 0xc0, 12), 1, "malformed"],
    ["a label beyond the end", changed(12, 63), 1, "malformed"],
    ["an answer section", changed(6, 0, 1), 1, "malformed"],
    ["two OPT records", Uint8Array.from([...changed(10, 0, 2), ...good.slice(-11)]), 1, "malformed"],
    ["trailing bytes", Uint8Array.from([...good, 0]), 1, "malformed"],
    ["EDNS version 100", changed(good.length - 5, 100), 0, "edns-version"],
  ])("%s", (_, bytes, rcode, reason) => {
    const { ask, resolver } = bench([ZONE]);
    const reply = ask(bytes);
    expect(reply === undefined ? undefined : (reply[3] ?? 0) & 15).toBe(rcode);
    expect(reasonOf(resolver)).toBe(reason);
  });

  test("arbitrary bytes get one of answer, error answer, silence: bounded and readable", () => {
    const { ask, resolver } = bench([ZONE], ["corp.example"]);
    const mutated = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.uint8Array({ maxLength: 40 }),
      )
      .map(([edits, tail]) => {
        const bytes = Uint8Array.from([...good, ...tail]);
        for (const [at, value] of edits) bytes[at] = value;
        return bytes;
      });
    const anything = fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated);
    fc.assert(
      fc.property(anything, (bytes) => {
        const reply = ask(bytes);
        expect(REASONS[resolver.reason]).toBeDefined();
        if (reply === undefined) return;
        expect(reply.length).toBeLessThanOrEqual(1_232);
        expect((reply[2] ?? 0) & 0x80).toBe(0x80);
        expect(reply[5] !== 1 || decodeMessage(reply).ok).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});
