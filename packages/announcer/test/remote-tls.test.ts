import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request, type RequestOptions } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { seconds } from "@stitch/clock";
import { ConfigError, SiteDocument } from "@stitch/config";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { remoteKeys, type RemoteKeys } from "../src/config/remote.ts";
import { announcerConfig } from "../src/config.ts";
import { RemoteControl } from "../src/remote-control.ts";
import { statusOf } from "../src/status.ts";
import { certificate, type Identity } from "./certificates.ts";
import { Scenario, SITE } from "./scenario.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const WITHIN = { timeout: 10_000, interval: 20 };

const serverCa = certificate("server CA", { ca: true });
const clientCa = certificate("client CA", { ca: true });
const otherCa = certificate("another CA", { ca: true });
const server = certificate("announcer", { issuer: serverCa });
const operator = certificate("operator", { issuer: clientCa });
const stranger = certificate("operator", { issuer: otherCa });
const late = certificate("operator", { issuer: clientCa, days: -1 });
/** Of the CA that signs servers: somebody who has a certificate, and not the right to drain. */
const neighbour = certificate("neighbour", { issuer: serverCa });

const TLS = { cert: server.cert, key: server.key, clientCa: undefined };
const MUTUAL: RemoteKeys = { token: undefined, tls: { ...TLS, clientCa: clientCa.cert } };

let scenario: Scenario;
let registry: Registry;
let remote: RemoteControl | undefined;

beforeEach(async () => {
  scenario = new Scenario();
  registry = new Registry();
  for (const line of ["peer 1 up", "report dns serving pass", "renew dns 3"]) await scenario.run(line);
});

afterEach(async () => {
  await remote?.close();
  remote = undefined;
});

async function open(keys: RemoteKeys): Promise<RemoteControl> {
  const { announcer, journal, clock } = scenario;
  const identity = { service: "announcer", site: "nyc", instance: "nyc-1" };
  remote = await RemoteControl.open({
    announcer,
    journal,
    status: () => statusOf(announcer, identity, clock, "192.0.2.1"),
    reload: () => ({ kind: "accepted", changes: [] }),
    metrics: () => Promise.resolve({ type: "text/plain", text: "up 1\n" }),
    listen: { address: "127.0.0.1", port: 0 } as never,
    keys,
    registry,
    clock,
  });
  return remote;
}

interface Caller {
  readonly identity?: Identity;
  readonly token?: string;
  readonly agent?: Agent;
  readonly path?: string;
  readonly method?: string;
}

/** The status of the answer; rejects where TLS does not come to one. */
function call({ identity, token, agent, path = "/status", method = "GET" }: Caller = {}): Promise<number> {
  const options: RequestOptions = {
    host: "127.0.0.1",
    port: remote?.port,
    path,
    method,
    ca: serverCa.cert,
    agent: agent ?? false,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(options, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    asked.on("error", reject);
    asked.end(method === "POST" ? '{"target":"dns"}' : undefined);
  });
}

async function refused(): Promise<number> {
  const text = await registry.metrics();
  return Number(/stitch_announcer_remote_refused_total (\d+)/.exec(text)?.[1]);
}

describe("the remote control by TLS", () => {
  test("with a token: what is read on the way is of no use, and without the token nothing is told", async () => {
    await open({ token: TOKEN, tls: TLS });
    expect([await call({ token: TOKEN }), await call()]).toEqual([200, 401]);
    expect(await call({ token: TOKEN, method: "POST", path: "/drain" })).toBe(200);
    await scenario.run("expect dns DRAINING last-resort");
    await expect(fetch(`http://127.0.0.1:${remote?.port}/status`)).rejects.toThrow(/fetch failed/);
  });

  test("with a CA of the clients: its certificates open it", async () => {
    await open(MUTUAL);
    expect(await call({ identity: operator })).toBe(200);
    expect(await call({ identity: operator, method: "POST", path: "/drain" })).toBe(200);
    expect(scenario.journal.entries.find(({ kind }) => kind === "operator")).toMatchObject({ via: "remote" });
  });

  test.each([
    ["none", undefined],
    ["one of another CA", stranger],
    ["one of the server's own CA", neighbour],
    ["one that has expired", late],
  ])("with a CA of the clients: %s is refused before anything is asked, and counted", async (_name, identity) => {
    await open(MUTUAL);
    const caller = identity === undefined ? {} : { identity };
    for (const path of ["/drain", "/undrain", "/reload"])
      await expect(call({ ...caller, token: TOKEN, method: "POST", path })).rejects.toThrow();
    await scenario.run("expect dns UP normal");
    expect(scenario.journal.entries.filter(({ kind }) => kind === "operator")).toEqual([]);
    await vi.waitFor(async () => expect(await refused()).toBe(3), WITHIN);
  });

  test("with both, needs both", async () => {
    await open({ ...MUTUAL, token: TOKEN });
    expect([await call({ identity: operator, token: TOKEN }), await call({ identity: operator })]).toEqual([200, 401]);
    await expect(call({ token: TOKEN })).rejects.toThrow();
  });

  test("takes other certificates from the moment that a reload has brought them, and ends what the old ones opened", async () => {
    const door = await open(MUTUAL);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await call({ identity: operator, agent })).toBe(200);
    door.renew({ token: undefined, tls: { ...TLS, clientCa: otherCa.cert } });
    await expect(call({ identity: operator })).rejects.toThrow();
    expect(await call({ identity: stranger })).toBe(200);
    // A session ticket of before must not open it either: the agent would use one.
    const left = new Promise<void>((resolve) => void agent.once("free", (socket) => socket.once("close", resolve)));
    expect(await call({ identity: operator, agent })).toBe(200);
    await scenario.clock.run(seconds(1));
    await left;
    await expect(call({ identity: operator, agent })).rejects.toThrow();
    agent.destroy();
  });

  test("lets connections be where a reload brought the same", async () => {
    const door = await open(MUTUAL);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    agent.on("free", () => void (connections += 1));
    await call({ identity: operator, agent });
    door.renew(structuredClone(MUTUAL));
    await scenario.clock.run(seconds(5));
    const [socket] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
    expect(await call({ identity: operator, agent })).toBe(200);
    expect(Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])).toEqual([socket]);
    agent.destroy();
  });

  test("does not wait for ever for a handshake that never ends", async () => {
    await open(MUTUAL);
    const idle = connectTcp(remote?.port ?? 0, "127.0.0.1");
    idle.on("error", () => undefined);
    await new Promise<void>((resolve) => void idle.once("close", () => resolve()).resume());
    await vi.waitFor(async () => expect(await refused()).toBe(1), WITHIN);
  });

  test("shows its own certificate", async () => {
    await open(MUTUAL);
    const socket = connect({ host: "127.0.0.1", port: remote?.port ?? 0, ca: serverCa.cert });
    await new Promise<void>((resolve) => void socket.once("secureConnect", () => resolve()));
    expect([socket.authorized, socket.getPeerCertificate().subject.CN]).toEqual([true, "announcer"]);
    socket.on("error", () => undefined).destroy();
  });
});

describe("its files", () => {
  const directory = mkdtempSync(join(tmpdir(), "stitch-remote-tls-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  write("cert.pem", server.cert + serverCa.cert);
  write("key.pem", server.key);
  write("other-key.pem", operator.key);
  write("clients.pem", clientCa.cert + otherCa.cert);
  write("leaf.pem", operator.cert);
  write("empty.pem", "");
  write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

  function read(settings: string): RemoteKeys | string | undefined {
    const text = SITE.replace("  drain:", `  remote: { listen: "192.0.2.1:8179", ${settings} }\n  drain:`);
    const document = SiteDocument.parse(text, join(directory, "site.yaml"));
    try {
      return remoteKeys(document, announcerConfig(document));
    } catch (failure) {
      if (!(failure instanceof ConfigError)) throw failure;
      return failure.message;
    }
  }

  test("are read from beside site.yaml", () => {
    expect(read("tls: { cert: cert.pem, key: key.pem, clientCa: clients.pem }")).toEqual({
      token: undefined,
      tls: { cert: server.cert + serverCa.cert, key: server.key, clientCa: clientCa.cert + otherCa.cert },
    });
  });

  test.each([
    [
      "no token and no CA",
      "tls: { cert: cert.pem, key: key.pem }",
      /remote\.token: is missing, and so is tls\.clientCa/,
    ],
    ["nothing at all", "", /remote\.token: is missing, and so is tls\.clientCa/],
    [
      "a file that is not there",
      "tls: { cert: gone.pem, key: key.pem, clientCa: clients.pem }",
      /tls\.cert: .*gone\.pem: no such file/,
    ],
    [
      "a certificate for a key",
      "tls: { cert: cert.pem, key: cert.pem, clientCa: clients.pem }",
      /tls\.key: .*holds no private key/,
    ],
    [
      "another's key",
      "tls: { cert: cert.pem, key: other-key.pem, clientCa: clients.pem }",
      /tls\.key: .*other-key\.pem is not the key of .*cert\.pem/,
    ],
    [
      "an empty CA file, which would be every CA of the web",
      "tls: { cert: cert.pem, key: key.pem, clientCa: empty.pem }",
      /tls\.clientCa: .*empty\.pem holds no certificate/,
    ],
    [
      "a CA file with a certificate that is no CA's",
      "tls: { cert: cert.pem, key: key.pem, clientCa: leaf.pem }",
      /tls\.clientCa: .*is no CA's \(CN=operator\)/,
    ],
    [
      "a certificate that is none",
      "tls: { cert: broken.pem, key: key.pem, clientCa: clients.pem }",
      /tls\.cert: .*broken\.pem holds a certificate that cannot be read/,
    ],
  ])("%s is refused with a sentence that quotes no key", (_name, settings, why) => {
    const sentence = read(settings);
    expect(sentence).toMatch(why);
    expect(sentence).not.toContain("PRIVATE KEY");
  });
});
