/** Two workers in one service: both serve, the verdict is the worst one's, and nobody else takes their address. */
import { connect } from "node:net";
import dnsPacket from "dns-packet";
import { afterEach, describe, expect, test, vi } from "vitest";
import { endAll, Role, type RoleKind } from "./workers/role.ts";

/** The goal is 0.7 s to the route's end, for a quiet machine; here others may be busy on it. */
const HUNG_IS_SEEN_WITHIN_MS = 1_500;
const POLL = { timeout: 30_000, interval: 20 };

const QUERY = { type: "query", id: 7, flags: dnsPacket.RECURSION_DESIRED } as const;
const LOCALHOST = dnsPacket.encode({ ...QUERY, questions: [{ type: "A", name: "localhost" }] });
/** Version 4, mode 3. */
const TIME_REQUEST = Uint8Array.from([0x23, ...new Uint8Array(47).fill(9)]);

const DNS: RoleKind = {
  folder: "dns-resolver",
  section: "dns",
  address: "127.89.10.53",
  // Nobody listens there: the network says so at once.
  settings: '  routes: [{ zone: ".", upstreams: ["127.89.10.54:9"] }]\n',
  request: LOCALHOST,
};
const NTP: RoleKind = {
  folder: "sntp-responder",
  section: "ntp",
  address: "127.89.10.123",
  settings: "  clock: local\n",
  request: TIME_REQUEST,
};

afterEach(endAll);

describe.each([
  ["dns", DNS],
  ["ntp", NTP],
])("%s with two workers", (_name, kind) => {
  test("both workers answer, and every client is answered", async () => {
    const role = await Role.start(kind);
    await role.serving();
    const answers = await Promise.all(Array.from({ length: 40 }, () => role.ask()));
    expect(answers.filter((answered) => !answered)).toEqual([]);
    await vi.waitFor(async () => {
      const counted = await role.counted();
      expect(counted).toHaveLength(2);
      expect(Math.min(...counted)).toBeGreaterThan(5);
    }, POLL);
    expect((await role.health())?.verdict).toBe("pass");
  });

  test("one of them in an endless loop fails the verdict although the other serves, and SIGTERM still ends it", async () => {
    const role = await Role.start(kind);
    await role.serving();
    role.order(1, "hang");
    const hung = performance.now();
    // Clients go on asking: some are answered, which must not hide that others are not.
    const clients = setInterval(() => void role.ask(), 20);
    try {
      const { reasons } = await role.until(({ verdict }) => verdict === "fail");
      const seen = performance.now() - hung;
      process.stdout.write(
        `${kind.section}: one of two workers hung, the verdict failed after ${Math.round(seen)} ms\n`,
      );
      expect(reasons).toContainEqual(expect.objectContaining({ code: "worker-hung", class: "dead" }));
      expect(seen).toBeLessThan(HUNG_IS_SEEN_WITHIN_MS);
      const [before = 0] = await role.counted();
      await vi.waitFor(async () => expect((await role.counted())[0]).toBeGreaterThan(before), POLL);
    } finally {
      clearInterval(clients);
    }
    role.signal("SIGTERM");
    expect(await role.exit).toBe(0);
  });

  test("one of them crashing ends the process with 1, for a supervisor to start it again", async () => {
    const role = await Role.start(kind);
    await role.serving();
    role.order(0, "crash");
    expect(await role.exit).toBe(1);
    expect(role.output).toContain("worker 1 of 2 ended: ordered to crash");
  });

  test("a second instance exits with 2 and names the address", async () => {
    const first = await Role.start(kind);
    await first.serving();
    const second = await Role.start(kind, first.port);
    expect(await second.exit).toBe(2);
    expect(second.output).toContain(`cannot bind udp ${kind.address}:${first.port}: another program holds it`);
    expect((await first.health())?.verdict).toBe("pass");
  });

  test("SIGTERM drains and exits with 0", async () => {
    const role = await Role.start(kind);
    await role.serving();
    role.signal("SIGTERM");
    await vi.waitFor(() => expect(role.output).toContain('"phase":"draining"'), POLL);
    expect(await role.ask()).toBe(true);
    expect(await role.exit).toBe(0);
    expect(role.output).toContain('"msg":"stopped"');
  });
});

describe("the resolver's workers", () => {
  test("share the address over TCP too", async () => {
    const role = await Role.start(DNS);
    await role.serving();
    const message = Buffer.concat([Buffer.of(0, LOCALHOST.length), LOCALHOST]);
    const answers = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const socket = connect(role.port, DNS.address);
        const answer = new Promise<Buffer>((resolve, reject) => socket.once("data", resolve).once("error", reject));
        socket.write(message);
        const bytes = await answer;
        socket.destroy();
        return bytes.readUInt16BE(2);
      }),
    );
    expect(answers).toEqual(Array.from({ length: 16 }, () => QUERY.id));
  });

  test("end with the process, with 1, when one of them hangs for good", async () => {
    const role = await Role.start(DNS);
    await role.serving();
    role.order(0, "hang");
    expect(await role.exit).toBe(1);
    expect(role.output).toContain("worker 1 of 2 hangs for good");
  });

  test("tell when an upstream of theirs is gone", async () => {
    const role = await Role.start({
      ...DNS,
      request: dnsPacket.encode({ ...QUERY, questions: [{ type: "A", name: "a.example" }] }),
    });
    await role.serving();
    const clients = setInterval(() => void role.ask(), 20);
    try {
      const { reasons } = await role.until(({ verdict }) => verdict === "degraded");
      expect(reasons).toMatchObject([{ code: "upstreams-unreachable", detail: "no upstream answers for ." }]);
    } finally {
      clearInterval(clients);
    }
  });
});
