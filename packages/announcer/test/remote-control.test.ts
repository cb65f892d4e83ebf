import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type ClientRequest, request, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { minutes } from "@stitch/clock";
import { ConfigError, SiteDocument } from "@stitch/config";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { remoteKeys } from "../src/config/remote.ts";
import { announcerConfig } from "../src/config.ts";
import { openControl } from "../src/control.ts";
import { RemoteControl } from "../src/remote-control.ts";
import { statusOf } from "../src/status.ts";
import { Scenario, SITE } from "./scenario.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

const never = (): never => expect.fail();

let scenario: Scenario;
let remote: RemoteControl;
let registry: Registry;

beforeEach(async () => {
  scenario = new Scenario();
  registry = new Registry();
  const { announcer, journal, clock } = scenario;
  const identity = { service: "announcer", site: "nyc", instance: "nyc-1" };
  remote = await RemoteControl.open({
    announcer,
    journal,
    status: () => statusOf(announcer, identity, clock, "192.0.2.1"),
    reload: () => ({ kind: "accepted", changes: [] }),
    metrics: () => Promise.resolve({ type: "text/plain", text: "up 1\n" }),
    listen: { address: "127.0.0.1", port: 0 } as never,
    keys: { token: TOKEN, tls: undefined },
    registry,
    clock,
  });
  for (const line of ["peer 1 up", "report dns serving pass", "renew dns 3"]) await scenario.run(line);
});

afterEach(() => remote.close());

function call(path: string, authorization?: string, body?: object): Promise<Response> {
  const headers = { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) };
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return fetch(`http://127.0.0.1:${remote.port}${path}`, { headers, ...init });
}

describe("the remote control", () => {
  test("does with the token what the control socket does, and the journal tells that it came over the network", async () => {
    const answer = await call("/drain", `Bearer ${TOKEN}`, { target: "dns", reason: "CHG-1" });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject([{ service: "dns", state: "DRAINING" }]);
    expect(scenario.journal.entries.find(({ kind }) => kind === "operator")).toMatchObject({ via: "remote" });
    expect((await call("/status", `Bearer ${TOKEN}`)).status).toBe(200);
  });

  test.each([
    ["nothing", undefined],
    ["an empty one", "Bearer "],
    ["another one", `Bearer ${TOKEN.replace("0", "1")}`],
    ["the beginning of it", `Bearer ${TOKEN.slice(0, -1)}`],
    ["more than it", `Bearer ${TOKEN}0`],
    ["it without its scheme", TOKEN],
    ["it as a password", `Basic ${Buffer.from(`x:${TOKEN}`).toString("base64")}`],
  ])("refuses %s, whatever is asked, and changes nothing", async (_name, authorization) => {
    for (const path of ["/drain", "/undrain", "/reload", "/no-such-path"]) {
      scenario.clock.advance(minutes(1));
      const answer = await call(path, authorization, { target: "dns", forced: true });
      expect([path, answer.status, await answer.text()]).toEqual([path, 401, '{"error":"this needs the token"}']);
    }
    scenario.clock.advance(minutes(1));
    for (const path of ["/status", "/journal", "/events", "/metrics"])
      expect((await call(path, authorization)).status).toBe(401);
    await scenario.run("expect dns UP normal");
    expect(scenario.journal.entries.filter(({ kind }) => kind === "operator")).toEqual([]);
    expect(await registry.metrics()).toContain("stitch_announcer_remote_refused_total 8");
  });

  test("does not listen to who has guessed five times, not even to the right token, until a minute is over", async () => {
    for (let guess = 0; guess < 5; guess += 1)
      expect((await call("/status", `Bearer ${TOKEN}${guess}`)).status).toBe(401);
    const answer = await call("/drain", `Bearer ${TOKEN}`, { target: "dns" });
    expect([answer.status, await answer.text()]).toEqual([429, expect.stringContaining("come back in a minute")]);
    await scenario.run("expect dns UP normal");
    scenario.clock.advance(minutes(1));
    expect((await call("/status", `Bearer ${TOKEN}`)).status).toBe(200);
  });

  test("takes another token from the moment that a reload has brought it", async () => {
    const token = TOKEN.toUpperCase();
    remote.renew({ token, tls: undefined });
    expect((await call("/status", `Bearer ${TOKEN}`)).status).toBe(401);
    expect((await call("/status", `Bearer ${token}`)).status).toBe(200);
  });

  test("has watchers of its own: who fills its places leaves those of the control socket", async () => {
    const { announcer, journal } = scenario;
    const path = join(mkdtempSync(join(tmpdir(), "stitch-doors-")), "announcer.sock");
    const local = await openControl({ announcer, journal, path, status: never, reload: never, metrics: never });
    const held: ClientRequest[] = [];
    try {
      const watch = (options: RequestOptions): Promise<number> =>
        new Promise((resolve, reject) => {
          const asked = request({ path: "/events", agent: false, ...options }, ({ statusCode }) =>
            resolve(statusCode ?? 0),
          );
          held.push(asked.on("error", reject));
          asked.end();
        });
      const authorization = `Bearer ${TOKEN}`;
      const far = { host: "127.0.0.1", port: remote.port, headers: { authorization } };
      const far32 = await Promise.all(Array.from({ length: 32 }, () => watch(far)));
      const near32 = await Promise.all(Array.from({ length: 32 }, () => watch({ socketPath: path })));
      expect([new Set(far32), new Set(near32)]).toEqual([new Set([200]), new Set([200])]);
      expect(await watch({ socketPath: path })).toBe(503);
    } finally {
      for (const each of held) each.on("error", () => undefined).destroy();
      await local.close();
      rmSync(dirname(path), { recursive: true });
    }
  });

  test("ends a stranger's connection with the answer", async () => {
    expect((await call("/status")).headers.get("connection")).toBe("close");
  });

  test("says which address it cannot have", async () => {
    const { announcer, journal } = scenario;
    const taken = RemoteControl.open({
      announcer,
      journal,
      status: () => expect.fail(),
      reload: () => expect.fail(),
      metrics: () => expect.fail(),
      listen: { address: "127.0.0.1", port: remote.port } as never,
      keys: { token: TOKEN, tls: undefined },
      registry: new Registry(),
      clock: scenario.clock,
    });
    await expect(taken).rejects.toThrow(/announcer\.remote: cannot listen on 127\.0\.0\.1 port \d+ \(EADDRINUSE\)/);
  });
});

describe("its token", () => {
  const directory = mkdtempSync(join(tmpdir(), "stitch-token-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  function read(text: string | undefined, setting = "file:token"): string | undefined {
    if (text !== undefined) writeFileSync(join(directory, "token"), text);
    const remoteYaml = `  remote: { listen: "192.0.2.1:8179", token: "${setting}" }\n`;
    const document = SiteDocument.parse(
      SITE.replace("  drain:", `${remoteYaml}  drain:`),
      join(directory, "site.yaml"),
    );
    try {
      return remoteKeys(document, announcerConfig(document))?.token;
    } catch (failure) {
      if (!(failure instanceof ConfigError)) throw failure;
      return failure.message;
    }
  }

  test("is read from a file beside site.yaml, without the line break at its end", () => {
    expect(read(`${TOKEN}\n`)).toBe(TOKEN);
  });

  test.each([
    ["in site.yaml itself", TOKEN, "s3cret", /announcer\.remote\.token.*must be file:PATH/],
    ["too short", "s3cret\n", "file:token", /holds 6 characters; a token needs 32/],
    ["of two words", `s3cret ${TOKEN}\n`, "file:token", /more than one word of printable ASCII/],
    ["gone", undefined, "file:gone", /gone: no such file/],
  ])("%s is refused with a sentence that does not quote it", (_name, text, setting, why) => {
    const sentence = read(text, setting);
    expect(sentence).toMatch(why);
    expect(sentence).not.toContain("s3cret");
  });

  test.each(["0.0.0.0:8179", "[::]:8179"])("is not for every address: %s", (listen) => {
    const text = SITE.replace("  drain:", `  remote: { listen: "${listen}", token: "file:x" }\n  drain:`);
    expect(() => announcerConfig(SiteDocument.parse(text, "site.yaml"))).toThrow(
      /remote\.listen: would be reached by every address/,
    );
  });

  test("is of no use on a VIP", () => {
    const text = SITE.replace("  drain:", '  remote: { listen: "10.10.10.53:8179", token: "file:x" }\n  drain:');
    expect(() => announcerConfig(SiteDocument.parse(text, "site.yaml"))).toThrow(
      /10\.10\.10\.53 is a VIP; an order must reach this very site/,
    );
  });
});
