import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Docker, docker } from "./docker.ts";
import { SCRATCH } from "./engine.ts";
import { FRR_IMAGE, IMAGES } from "./images.ts";

interface ImageFacts {
  readonly Size: number;
  readonly Config: {
    readonly User: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Healthcheck?: { readonly Test: readonly string[] };
    readonly Entrypoint: readonly string[];
  };
}

const NODE_IMAGE = "node:26-bookworm-slim";
/** The services' account; `site` and `addresses` start as root and say why in the Dockerfile. */
const PLAIN = ["dns", "syslog", "ntp", "announcer"] as const;
/** What an image may add to Node's own, in bytes. */
const MOST_ADDED = 60e6;

const run: Docker = docker(inject("engine"));

async function facts(image: string): Promise<ImageFacts> {
  const [found] = JSON.parse(await run(["image", "inspect", image])) as ImageFacts[];
  if (found === undefined) throw new Error(`no image ${image}`);
  return found;
}

/** Runs a shell line in an image as the least that it can be: no network, nothing writable, no capability. */
function within(image: string, line: string, ...options: readonly string[]): Promise<string> {
  const least = [
    "--rm",
    "--network",
    "none",
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
  ];
  return run(["run", ...least, ...options, "--entrypoint", "sh", image, "-c", line]);
}

let nodeSize = 0;
let scratch = "";
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
beforeAll(async () => {
  scratch = mkdtempSync(join(SCRATCH, "images-"));
  nodeSize = (await facts(NODE_IMAGE)).Size;
});

describe.each(Object.entries(IMAGES))("the image %s", (target, image) => {
  test("is labelled, adds little to Node's own, and says how much", async () => {
    const { Size, Config } = await facts(image);
    expect(Config.Labels).toMatchObject({
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": "0.1.0",
      "org.opencontainers.image.title": target === "site" ? "stitch" : `stitch-${target}`,
    });
    expect(Config.Labels["org.opencontainers.image.revision"]).toMatch(/^[0-9a-f]{40}$/);
    process.stderr.write(
      `${image}: ${(Size / 1e6).toFixed(0)} MB, ${((Size - nodeSize) / 1e6).toFixed(0)} MB of it on top of ${NODE_IMAGE}\n`,
    );
    expect(Size - nodeSize).toBeLessThan(MOST_ADDED);
  });

  test("has a bill of materials with Node, npm and Debian packages, and no development tool", async () => {
    const bill = JSON.parse(await within(image, "cat /opt/stitch/sbom.cdx.json")) as {
      serialNumber: string;
      components: readonly { purl: string }[];
    };
    const purls = bill.components.map(({ purl }) => purl);
    expect(purls).toContain(`pkg:generic/node@${process.versions.node}`);
    expect(purls.filter((purl) => purl.startsWith("pkg:npm/fastify@"))).toHaveLength(1);
    expect(purls.filter((purl) => purl.startsWith("pkg:deb/debian/libc6@"))).toHaveLength(1);
    expect(purls.filter((purl) => /\/(vitest|typescript|node-gyp|oxlint)@/.test(purl))).toEqual([]);
    expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
  });
});

describe("what is inside", () => {
  test.each(PLAIN)("%s runs as an account of its own that can write nowhere but its two folders", async (target) => {
    const { Config } = await facts(IMAGES[target]);
    expect(Config.User).toBe("65532:65532");
    expect(Config.Healthcheck?.Test).toEqual(["CMD", "stitch-healthcheck"]);
    const writable = await run([
      "run",
      "--rm",
      "--network",
      "none",
      "--entrypoint",
      "sh",
      IMAGES[target],
      "-c",
      "id -u; find / -xdev -writable \\( -type f -o -type d \\) -not -path '/proc/*' 2>/dev/null | sort | tr '\\n' ' '",
    ]);
    const [user, folders = ""] = writable.split("\n");
    expect(user).toBe("65532");
    expect(
      folders
        .trim()
        .split(" ")
        .filter((path) => !/^\/(tmp|var\/tmp|run\/lock)$/.test(path)),
    ).toEqual(["/run/stitch", "/var/lib/stitch"]);
  });

  test("no development dependency, no registry's name, no source of the addon", async () => {
    const list =
      "ls /opt/stitch/node_modules /opt/stitch/packages/linux-io /opt/stitch/packages/linux-io/build/Release";
    const names = (await within(IMAGES.dns, list)).split("\n");
    expect(names).toContain("linux_io.node");
    expect(names).toContain("fastify");
    expect(names.filter((name) => ["vitest", "typescript", "node-gyp", "native"].includes(name))).toEqual([]);
    expect(await within(IMAGES.dns, "ls /usr/local/etc/npmrc /usr/bin/gcc /opt/stitch/lab 2>/dev/null | wc -l")).toBe(
      "0",
    );
  });

  test("the addon loads, so that datagrams go in batches", async () => {
    const line = "node -e 'require(\"/opt/stitch/packages/linux-io/build/Release/linux_io.node\")' && echo loaded";
    expect(await within(IMAGES.dns, line)).toBe("loaded");
  });

  test("the health check has the lowest priority: what it takes, no service misses", async () => {
    const ask = "--import=data:text/javascript,import{getPriority}from'node:os';console.log(getPriority())";
    const said = await within(IMAGES.dns, "stitch-healthcheck || true", "-e", `NODE_OPTIONS=${ask}`);
    expect(said.split("\n")[0]).toBe("19");
  });

  describe("the health check", () => {
    const site = `printf 'site: a\\ndns: { listen: [127.0.0.1:53], health: 127.0.0.1:8153 }\\n' > $STITCH_SITE`;

    test("reads the site's file again only when that has changed", async () => {
      const asks =
        "NODE_DEBUG_NATIVE=COMPILE_CACHE stitch-healthcheck 2>&1 | grep -E 'was accepted|ECONNREFUSED' | sed 's/.*was accepted.*/loaded/' | uniq -c";
      const said = await within(
        IMAGES.dns,
        `${site}; ${asks}; echo again; ${asks}; echo changed; sed -i s/8153/8154/ $STITCH_SITE; ${asks}; ls -l /dev/shm/stitch-*`,
        "-e",
        "STITCH_SITE=/dev/shm/site.yaml",
      );
      const [first = "", second = "", third = ""] = said.split(/again|changed/);
      expect(first).toMatch(/^ +\d{2,} loaded\n +1 dns: connect ECONNREFUSED 127\.0\.0\.1:8153$/m);
      expect(second.trim()).toMatch(/^(\d loaded\n)? *1 dns: connect ECONNREFUSED 127\.0\.0\.1:8153$/);
      expect(third).toMatch(/^ +\d{2,} loaded\n +1 dns: connect ECONNREFUSED 127\.0\.0\.1:8154$/m);
      expect(third).toMatch(/^-rw------- 1 stitch stitch .*stitch-healthcheck-dns$/m);
    });

    test.each([
      [
        "in a folder of its own where it has one",
        ["--tmpfs", "/run/stitch:uid=65532,mode=0750"],
        "/run/stitch/stitch-healthcheck-dns",
      ],
      ["nowhere where nothing can be written", ["--tmpfs", "/dev/shm:mode=0700"], "none"],
    ])("remembers %s, and says the same", async (_, mounts, memory) => {
      const line = `${site}; stitch-healthcheck; stitch-healthcheck; ls /dev/shm/stitch-* /run/stitch/stitch-* 2>/dev/null || echo none`;
      const said = await within(IMAGES.dns, line, ...mounts, "--tmpfs", "/tmp", "-e", "STITCH_SITE=/tmp/site.yaml");
      const refused = "dns: connect ECONNREFUSED 127.0.0.1:8153";
      expect(said.split("\n").slice(0, 2)).toEqual([refused, refused]);
      expect(said.split("\n")).toContain(memory);
    });
  });

  test("the compile cache is used by an account that cannot write to it", async () => {
    const said = await within(IMAGES.dns, "stitch --help 2>&1", "-e", "NODE_DEBUG_NATIVE=COMPILE_CACHE");
    const accepted = said.split("\n").filter((line) => line.includes("was accepted"));
    expect(accepted.length).toBeGreaterThan(300);
    expect(said).not.toContain("permission denied");
    // Nobody else's: root leaves none behind while an image is built.
    expect(await within(IMAGES.site, "ls -d /opt/stitch/.compile-cache/*")).toMatch(/^\S+-65532$/);
  });

  test("only what touches addresses has `ip`", async () => {
    const which = "command -v ip || echo none";
    expect(await within(IMAGES.dns, which)).toBe("none");
    expect(await within(IMAGES.addresses, which)).toMatch(/\/ip$/);
    expect(await within(IMAGES.announcer, which)).toMatch(/\/ip$/);
  });

  test("FRR is there for the routers", async () => {
    const said = await run([
      "run",
      "--rm",
      "--network",
      "none",
      "--entrypoint",
      "/usr/lib/frr/bgpd",
      FRR_IMAGE,
      "--version",
    ]);
    expect(said).toMatch(/bgpd version 8\.4/);
  });
});

describe("as root on the host's network", () => {
  // A namespace whose low ports are closed, as a host's are.
  const ports = ["--network", "none", "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"];
  const added = ["NET_BIND_SERVICE", "SETUID", "SETGID", "SETPCAP", "CHOWN"].flatMap((name) => ["--cap-add", name]);
  const least = ["run", "--rm", "--user", "0:0", "--cap-drop", "ALL", ...added, "--security-opt", "no-new-privileges"];
  const binds = [
    'import { createSocket } from "node:dgram"; import { readFileSync } from "node:fs";',
    'const tell = () => process.stdout.write(readFileSync("/proc/self/status", "utf8"), () => process.exit(0));',
    'createSocket("udp4").bind(53, "127.0.0.1", tell);',
  ].join("\n");

  test("a role becomes 65532 and keeps the right to bind low ports, and nothing else", async () => {
    const volume = `${scriptFile(binds)}:/opt/stitch/packages/cli/bin/stitch.js:ro`;
    const options = [...ports, "--volume", volume];
    const status = await run([...least, ...options, IMAGES.dns, "run", "dns"]);
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    expect(field("Uid").split(/\s+/)).toEqual(["65532", "65532", "65532", "65532"]);
    expect(field("Gid").split(/\s+/)).toEqual(["65532", "65532", "65532", "65532"]);
    expect(field("NoNewPrivs")).toBe("1");
    // Bit 10 is CAP_NET_BIND_SERVICE.
    for (const set of ["CapPrm", "CapEff", "CapAmb", "CapBnd"]) expect(BigInt(`0x${field(set)}`)).toBe(1n << 10n);
  });

  test("a plain account without that cannot", async () => {
    const plain = ["run", "--rm", "--user", "65532", "--cap-drop", "ALL", ...ports, "--entrypoint", "node"];
    const argv = [...plain, IMAGES.dns, "--input-type=module", "-e", binds];
    await expect(run(argv)).rejects.toThrow(/EACCES/);
  });
});

/** A program for the container to find in stitch's place. */
function scriptFile(body: string): string {
  const file = join(scratch, "stitch.js");
  writeFileSync(file, `#!/usr/bin/env node\n${body}\n`, { mode: 0o755 });
  return file;
}
