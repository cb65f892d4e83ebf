import { join } from "node:path";
import { seconds, SystemClock } from "@stitch/clock";
import { until } from "@stitch/lab";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { compose, type Compose, type Docker, docker } from "./docker.ts";
import { ROOT } from "./engine.ts";

const FILES = import.meta.dirname;
const PROJECT = "stitch-host";
const ROLES = ["dns", "syslog", "ntp", "announcer"] as const;
const VIPS = ["10.10.10.53", "10.10.5.14", "10.10.10.123"] as const;
const NET_BIND_SERVICE = (1n << 10n).toString(16).padStart(16, "0");

const clock = new SystemClock();
const run: Docker = docker(inject("engine"));
const site: Compose = compose(inject("engine"), {
  name: PROJECT,
  files: [join(ROOT, "docker/compose.host.yaml"), join(FILES, "compose.host.test.yaml")],
  variables: { STITCH_SITE: join(FILES, "site"), STITCH_TEST_FILES: FILES },
});
const containerOf = (service: string): string => `${PROJECT}_${service}_1`;
const fact = (service: string, field: string): Promise<string> =>
  run(["inspect", "--format", `{{${field}}}`, containerOf(service)]);

async function routes(): Promise<readonly string[]> {
  const text = await run(["exec", containerOf("router"), "vtysh", "-c", "show bgp ipv4 unicast json"]);
  // Without any route FRR says so in words.
  const { routes: known = {} } = JSON.parse(text.startsWith("{") ? text : "{}") as { routes?: Record<string, unknown> };
  return Object.keys(known).toSorted();
}

beforeAll(async () => {
  await site("up", "--detach", "--no-build");
});
afterAll(() => site("down", "--volumes", "--timeout", "1"));

describe("one site on the host's network", () => {
  test("announces its addresses to the host's router", async () => {
    const wanted = VIPS.map((address) => `${address}/32`).toSorted();
    const heard = await until(clock, "three routes", seconds(60), async () => {
      const known = await routes();
      return known.length === wanted.length ? known : undefined;
    });
    expect(heard).toEqual(wanted);
  });

  test.each(ROLES)("%s left root, and may bind low ports and nothing else", async (role) => {
    const line = 'for f in /proc/[0-9]*/status; do grep -q "^Uid:.65532" $f && cat $f; done; true';
    const said = await run(["exec", containerOf(role), "sh", "-c", line]);
    const field = (name: string): string[] =>
      [...said.matchAll(new RegExp(`^${name}:\\s+(.*)$`, "gm"))].map(([, value = ""]) => value.trim());
    expect(field("CapEff").length).toBeGreaterThanOrEqual(1);
    for (const set of ["CapEff", "CapPrm", "CapBnd", "CapAmb"])
      expect(new Set(field(set))).toEqual(new Set([NET_BIND_SERVICE]));
    expect(new Set(field("NoNewPrivs"))).toEqual(new Set(["1"]));
  });

  test.each(ROLES)("%s is healthy, says Docker", async (role) => {
    const status = await until(clock, `${role} to be judged`, seconds(60), async () => {
      const now = await fact(role, ".State.Health.Status");
      return now === "starting" ? undefined : now;
    });
    expect(status).toBe("healthy");
  });

  test("an operator asks as the account 65532", async () => {
    const argv = ["exec", "--user", "65532", containerOf("announcer"), "stitch", "status"];
    expect(await run(argv)).toMatch(/dns\s+10\.10\.10\.53\/32\s+announced/);
  });

  test("`stop` withdraws everything and ends with 0", async () => {
    await site("stop", ...ROLES);
    expect(await Promise.all(ROLES.map((role) => fact(role, ".State.ExitCode")))).toEqual(["0", "0", "0", "0"]);
    expect(await routes()).toEqual([]);
  });
});
