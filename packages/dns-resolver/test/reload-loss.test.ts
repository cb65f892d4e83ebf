import { describe, expect, test, vi } from "vitest";
import { respond } from "./fake-upstream.ts";
import { dataOf, decoded } from "./fixtures.ts";
import { upstream } from "./rig.ts";
import { addressOf, aliasing, answering, CORP, put, routes, serving, write } from "./site.ts";

describe("reload without loss: what a reload puts in place", () => {
  test("empties the cache of the changed route and of no other", async () => {
    const [root, corp, other] = [
      await answering("192.0.2.1"),
      await answering("192.0.2.2"),
      await answering("192.0.2.3"),
    ];
    const { adopt, ask } = await serving(write(routes(root, corp)));
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.2"]);
    write(routes(root, other));
    await adopt();
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.3"]);
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect([root.queries.length, corp.queries.length, other.queries.length]).toEqual([1, 1, 1]);
    write(routes(root, corp)); // the old route again is a new one: it may have been changed for cause
    await adopt();
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.2"]);
    expect(corp.queries.length).toBe(2);
  });

  test("empties the cache of a route whose answers led by an alias into the changed one", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const { questions = [] } = decoded(query);
        const name = questions[0]?.name ?? ".";
        send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const [corp, other] = [await answering("192.0.2.2"), await answering("192.0.2.3")];
    const { adopt, ask } = await serving(write(routes(aliased, corp)));
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    await adopt(); // nothing is different
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    expect(aliased.queries.length).toBe(1);
    write(routes(aliased, other));
    await adopt();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.3"]);
    expect(aliased.queries.length).toBe(2);
  });

  test("empties the cache of a route whose answers hold an alias when a zone comes that it may lead to", async () => {
    const { adopt, ask, whole } = await aliasing();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
    write(routes(whole, await answering("192.0.2.2")));
    await adopt();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
  });

  describe("drops aliases into what local data has got since:", () => {
    test.each([
      ["a name of a hosts file", "hosts", "192.0.2.2 www.corp.example\n"],
      ["a zone file", "zones", `${CORP}www A 192.0.2.2\n`],
    ])("%s", async (_, kind, text) => {
      const { adopt, ask, outside } = await aliasing();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      put("local", text);
      write(`${outside}  local: { ${kind}: [local] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    });

    test("a name in a zone that is there already, and in a hosts file that is", async () => {
      const { adopt, ask, outside } = await aliasing();
      put("zone", CORP);
      put("hosts", "192.0.2.9 other.test\n");
      write(`${outside}  local: { hosts: [hosts], zones: [zone] }\n`);
      await adopt();
      expect(decoded(await ask("www.example"))).toMatchObject({ rcode: "NXDOMAIN", answers: [{ type: "CNAME" }] });
      put("zone", `${CORP}www A 192.0.2.2\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
      write(outside);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      put("hosts", "192.0.2.9 other.test www.corp.example\n");
      write(`${outside}  local: { hosts: [hosts] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.9"]);
    });

    test.each([
      ["that was put together", false],
      ["that is being put together", true],
    ])("of an answer %s, the alias and what was asked for behind it", async (_, early) => {
      const held: (() => void)[] = [];
      const short = await upstream({
        udp: (query, send) => {
          const name = decoded(query).questions?.[0]?.name ?? ".";
          const alias = { type: "CNAME", name, ttl: 60, data: "app.corp.example" } as const;
          if (/^www/i.test(name)) send(respond(query, { answers: [alias] }));
          else held.push(() => send(respond(query)));
        },
      });
      const outside = `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${short.port}"] }]\n`;
      const { adopt, ask } = await serving(write(outside));
      const first = ask("www.example");
      await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000 });
      const change = async (): Promise<void> => {
        put("hosts", "192.0.2.2 app.corp.example\n");
        write(`${outside}  local: { hosts: [hosts] }\n`);
        await adopt();
      };
      if (early) await change();
      held[0]?.();
      expect(dataOf(await first)).toEqual(["app.corp.example", "192.0.2.7"]);
      if (!early) await change();
      expect(dataOf(await ask("www.example"))).toEqual(["app.corp.example", "192.0.2.2"]);
    });

    test("of an answer that a former process left too", async () => {
      const { file, outside, whole } = await aliasing();
      const former = await serving(file);
      await former.ask("www.example");
      former.saved.save(former.now());
      const asked = whole.queries.length;
      const { adopt, ask } = await serving(file);
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      expect(whole.queries.length).toBe(asked);
      put("hosts", "192.0.2.2 www.corp.example\n");
      write(`${outside}  local: { hosts: [hosts] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    });

    test("and keeps them where local data only says something else of the names that it had", async () => {
      const { adopt, ask, outside, whole } = await aliasing();
      put("hosts", "10.0.0.1 a.test\n10.0.0.2 b.test\n");
      put("zone", "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
      write(`${outside}  local: { hosts: [hosts], zones: [zone] }\n`);
      await adopt();
      await ask("www.example");
      put("hosts", "10.0.0.2 a.test x.lab.test\n# b.test has gone\n");
      await adopt();
      expect(dataOf(await ask("a.test"))).toEqual(["10.0.0.2"]);
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      expect(whole.queries.length).toBe(1);
    });
  });

  test("keeps nothing of an answer whose alias was being followed into the changed route", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const name = decoded(query).questions?.[0]?.name ?? ".";
        send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const held: (() => void)[] = [];
    const slow = await upstream({
      udp: (query, send) => held.push(() => send(respond(query, { answers: [addressOf(query, "192.0.2.9")] }))),
    });
    const { adopt, ask } = await serving(write(routes(aliased, slow)));
    const waiting = ask("www.example");
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000 });
    write(routes(aliased, await answering("192.0.2.3")));
    await adopt();
    for (const send of held.splice(0)) send();
    expect(dataOf(await waiting)).toEqual(["www.corp.example", "192.0.2.9"]);
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.3"]);
  });

  test("answers who waited for an upstream that is gone, and keeps nothing of what it said", async () => {
    const held: (() => void)[] = [];
    const slow = await upstream({
      udp: (query, send) => held.push(() => send(respond(query, { answers: [addressOf(query, "192.0.2.9")] }))),
    });
    const fast = await answering("192.0.2.1");
    const { adopt, ask } = await serving(write(routes(slow, slow)));
    const waiting = ask("www.example");
    await vi.waitFor(() => expect(held).toHaveLength(1));
    write(routes(fast, slow));
    await adopt();
    const after = ask("www.example");
    expect(dataOf(await after)).toEqual(["192.0.2.1"]);
    for (const send of held.splice(0)) send();
    expect(dataOf(await waiting)).toEqual(["192.0.2.9"]);
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect(fast.queries.length).toBe(1);
  });

  test("serves new local data, and no answer from before", async () => {
    put("hosts", "192.0.2.1 one.example\n");
    const { adopt, ask } = await serving(write("  local: { hosts: [hosts] }\n"));
    expect(dataOf(await ask("one.example"))).toEqual(["192.0.2.1"]);
    put("hosts", "192.0.2.2 one.example\n192.0.2.3 two.example\n");
    await adopt();
    expect(dataOf(await ask("one.example"))).toEqual(["192.0.2.2"]);
    expect(dataOf(await ask("two.example"))).toEqual(["192.0.2.3"]);
    put("hosts", "192.0.2.3 two.example\n");
    await adopt();
    expect(decoded(await ask("one.example")).rcode).toBe("REFUSED");
    expect(dataOf(await ask("localhost"))).toEqual(["127.0.0.1"]);
  });

  test("takes a new allow list and a new budget", async () => {
    const { adopt, ask, resolver } = await serving(write(""));
    expect(decoded(await ask("localhost")).rcode).toBe("NOERROR");
    write("  limit: { perNetwork: 1, slip: 1, exempt: [] }\n  allow: [10.0.0.0/8]\n");
    await adopt();
    const replies: boolean[] = [];
    for (let i = 0; i < 40; i += 1) replies.push(decoded(await ask("localhost")).flag_tc);
    expect(replies.filter((limited) => limited).length).toBeGreaterThan(0);
    const admits = (...address: number[]): boolean =>
      resolver.admits(Uint8Array.from([4, 0, 0, 53, ...address, ...new Uint8Array(16)]));
    expect([admits(10, 1, 2, 3), admits(192, 168, 0, 1)]).toEqual([true, false]);
  });

  test("leaves to no later process what several routes made", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const name = decoded(query).questions?.[0]?.name ?? ".";
        send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const file = write(routes(aliased, await answering("192.0.2.2")));
    const former = await serving(file);
    await former.ask("www.example");
    former.saved.save(former.now());
    write(routes(aliased, await answering("192.0.2.3")));
    const { ask } = await serving(file);
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.3"]);
  });
});
