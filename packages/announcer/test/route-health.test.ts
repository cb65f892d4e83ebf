import { SystemClock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { afterEach, expect, test } from "vitest";
import { pageOver } from "../src/evidence/page.ts";
import { Siblings } from "../src/evidence/siblings.ts";
import { announcerConfig } from "../src/config.ts";
import { RouteHealthEndpoint, routeHealthOf } from "../src/route-health.ts";
import { Scenario, SITE } from "./scenario.ts";

const IDENTITY = { service: "announcer", site: "nyc", instance: "nyc-1" };
const LISTEN = { address: "127.0.0.1", port: 0 };
const clock = new SystemClock();

let endpoint: RouteHealthEndpoint | undefined;
afterEach(() => endpoint?.close());

async function serve(scenario: Scenario): Promise<(path: string) => Promise<{ status: number; body: unknown }>> {
  endpoint = await RouteHealthEndpoint.open(LISTEN, IDENTITY, scenario.announcer);
  return async (path) => {
    const response = await fetch(new URL(path, base()));
    return { status: response.status, body: await response.json() };
  };
}

function base(): string {
  return `http://127.0.0.1:${endpoint?.port}`;
}

async function play(scenario: Scenario, ...lines: string[]): Promise<void> {
  for (const line of lines) await scenario.run(line);
}

test("says 200 while the VIP is announced plainly and a router hears it, 503 otherwise", async () => {
  const scenario = new Scenario();
  const get = await serve(scenario);
  const route = { service: "dns", site: "nyc", instance: "nyc-1", prefix: "10.10.10.53/32" };
  expect(await get("/route/dns")).toEqual({
    status: 503,
    body: { routes: [{ ...route, wish: "none", heard: false }] },
  });
  await play(scenario, "report dns serving pass", "renew dns 3");
  expect(await get("/route/dns")).toMatchObject({ status: 503, body: { routes: [{ wish: "normal", heard: false }] } });
  await play(scenario, "peer 1 up");
  expect(await get("/route/dns")).toMatchObject({ status: 200, body: { routes: [{ wish: "normal", heard: true }] } });
  await play(scenario, "drain dns");
  expect(await get("/route/dns")).toMatchObject({ status: 503, body: { routes: [{ wish: "last-resort" }] } });
});

test("is not heard where the session cannot carry the VIP, though it carries others", async () => {
  const six = '    - { prefix: "fd00:10:10::53/128", service: dns6, check: { tcp: "127.0.0.1:53" } }\n';
  const text = SITE.replaceAll("asn: 65001 }", 'asn: 65001, nextHop: "fd00::1" }').replaceAll(
    "asn: 65002 }",
    'asn: 65002, nextHop: "fd00::1" }',
  );
  const start = announcerConfig(SiteDocument.parse(`${text}${six}`, "site.yaml"));
  const dual = new Scenario(undefined, undefined, start);
  await play(dual, "peer 1 up", "report dns serving pass", "renew dns 3", "poll dns6 pass 3");
  expect(routeHealthOf(IDENTITY, "dns", dual.announcer)).toMatchObject([{ wish: "normal", heard: true }]);
  expect(routeHealthOf(IDENTITY, "dns6", dual.announcer)).toMatchObject([{ wish: "normal", heard: false }]);
  await play(dual, "peer 1 down");
  expect(routeHealthOf(IDENTITY, "dns", dual.announcer)).toMatchObject([{ wish: "normal", heard: false }]);
});

test("knows no other service, takes no prefix or `all` for one, and changes nothing", async () => {
  const get = await serve(new Scenario());
  for (const path of ["/route/web2", "/route/all", "/route/10.10.10.53", "/status", "/drain"])
    expect((await get(path)).status).toBe(404);
  expect((await fetch(new URL("/route/dns", base()), { method: "POST" })).status).toBe(404);
});

test("is what a sibling asks, and the sibling believes nothing else", async () => {
  const scenario = new Scenario();
  await serve(scenario);
  const url = new URL("/route/dns", base());
  const siblings = new Siblings("10.10.10.53/32", [url], clock, pageOver(clock));
  await play(scenario, "peer 1 up", "report dns serving pass", "renew dns 3");
  await expect.poll(() => siblings.announcing, { timeout: 10_000 }).toBe(url.host);
  const others = [
    new Siblings("10.10.10.54/32", [url], clock, pageOver(clock)),
    new Siblings("10.10.10.53/32", [new URL("/status", base())], clock, pageOver(clock)),
  ];
  for (const other of others) expect(other.announcing).toBeUndefined();
  await play(scenario, "drain dns");
  await expect.poll(() => siblings.announcing, { timeout: 10_000 }).toBeUndefined();
  for (const other of others) expect(other.announcing).toBeUndefined();
});

test("an address that is not of this machine is refused with a sentence", async () => {
  const { announcer } = new Scenario();
  await expect(RouteHealthEndpoint.open({ address: "192.0.2.77", port: 0 }, IDENTITY, announcer)).rejects.toThrow(
    /announcer\.health: cannot listen on 192\.0\.2\.77 port 0 \(EADDRNOTAVAIL\); choose an address of this machine/,
  );
});
