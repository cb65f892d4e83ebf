/** The resolver's files change under load: no query is lost, and from each reload on the answers are the new ones. */
import { STITCH } from "@stitch/cli/program";
import { execa } from "execa";
import { afterEach, expect, test, vi } from "vitest";
import { addressesOf, Clients } from "./reloads/clients.ts";
import { ReloadedResolver } from "./reloads/resolver.ts";

let resolver: ReloadedResolver | undefined;
afterEach(() => resolver?.end());

test("20 reloads under load lose no query, and a bad file among them changes nothing", async () => {
  resolver = await ReloadedResolver.start();
  const clients = new Clients(resolver.port);
  clients.start(10);
  for (let n = 1; n <= 20; n += 1) {
    const bad = n % 5 === 0;
    if (bad) resolver.writeSite("  workers: 2\n  routs: []\n");
    else resolver.write(n);
    await resolver.reload(bad ? "reload refused" : "reload done");
    const { port } = resolver;
    const answers = await Promise.all(Array.from({ length: 8 }, () => addressesOf("www.reload.test", port)));
    const asked = clients.sent;
    await vi.waitFor(() => expect(clients.sent).toBeGreaterThan(asked + 100), { timeout: 30_000, interval: 5 });
    expect(new Set(answers.flat())).toEqual(new Set([`192.0.2.${bad ? n - 1 : n}`]));
  }
  const lost = await clients.stop();
  process.stdout.write(`dns: 20 reloads under ${clients.sent} queries: ${lost} lost\n`);
  expect(lost).toBe(0);
  expect(clients.wrong).toEqual([]);
  expect(resolver.output).toContain("unknown setting");
});

test("stitch reload says what the resolver made of its file", async () => {
  resolver = await ReloadedResolver.start();
  const { file } = resolver;
  const reload = (): Promise<{ stdout: string; stderr: string; exitCode?: number }> =>
    execa(process.execPath, [STITCH, "reload", "-c", file], { reject: false });
  resolver.write(1);
  expect((await reload()).stdout).toMatch(/^route other.test by other settings.*\n\/.*zone as it is now$/);
  expect((await reload()).stdout).toBe("nothing has changed");
  resolver.writeSite("  workers: 3\n");
  const { exitCode, stderr } = await reload();
  expect(exitCode).toBe(1);
  expect(stderr).toContain(
    "nothing has been changed: dns.workers cannot be changed while the resolver runs; restart it",
  );
});
