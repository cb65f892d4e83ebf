import { STOP_LIMIT } from "@stitch/health";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { entries, manifest, read } from "./tree.ts";

// The same site is described four times, for four tools. What must hold in each of them is compared here, because only
// the compose files are run by a test.

const VERSION = manifest(".").version;
const ROLES = ["dns", "syslog", "ntp", "announcer"] as const;
const SERVICES = ["dns", "syslog", "ntp"] as const;
const VIPS = ["10.10.10.53", "10.10.5.14", "10.10.10.123"];
const LEAVES_ROOT = ["NET_BIND_SERVICE", "SETUID", "SETGID", "SETPCAP", "CHOWN"];

describe("the Dockerfile", () => {
  const text = read("docker/Dockerfile");
  const targets = [...text.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name = ""]) => name);

  test("needs nothing that the legacy builder of engine 20.10 lacks", () => {
    expect(text).not.toMatch(/^#\s*syntax/im);
    expect(text).not.toMatch(/--mount|<<|COPY --(link|chmod|parents)/);
  });

  test("has the targets of the README's table, and its images are those of the compose files", () => {
    const listed = [...read("docker/README.md").matchAll(/^\| `([a-z]+)` \| `stitch/gm)].map(([, name = ""]) => name);
    expect(listed).toEqual([...SERVICES, "announcer", "addresses", "site"]);
    expect(targets).toEqual(expect.arrayContaining(listed));
  });

  test("hands over each port that the example's site listens on", () => {
    const site = parse(read("docker/site/site.yaml")) as Readonly<
      Record<string, { readonly listen: readonly string[] }>
    >;
    for (const service of SERVICES) {
      const body = text.split(` AS ${service}\n`)[1]?.split("\nFROM ")[0] ?? "";
      const ports =
        /^EXPOSE (.*)$/m
          .exec(body)?.[1]
          ?.split(" ")
          .map((port) => port.split("/")[0]) ?? [];
      const used = site[service]?.listen.map((address) => address.split(":").at(-1)) ?? [];
      expect(used.length).toBeGreaterThan(0);
      expect(ports).toEqual(expect.arrayContaining(used));
    }
  });

  test("labels the images with the repository's version", () => {
    expect(text).toContain(`ARG VERSION=${VERSION}\n`);
  });
});

interface Service {
  readonly image: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly init?: boolean;
  readonly cap_drop: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt: readonly string[];
  readonly stop_grace_period?: string;
  readonly mem_limit?: string;
  readonly command?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

describe.each(["compose.yaml", "compose.host.yaml"])("docker/%s", (file) => {
  const { services } = parse(read(`docker/${file}`), { merge: true }) as {
    services: Readonly<Record<string, Service>>;
  };
  const onHost = file === "compose.host.yaml";

  test.each(ROLES)("%s: read-only, no capability more than it needs, time to drain", (role) => {
    const service = services[role];
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
    expect(service?.user).toBe(onHost ? "0:0" : "65532:65532");
    expect(service?.cap_add).toEqual(onHost ? LEAVES_ROOT : undefined);
    expect(service?.image).toBe(`\${STITCH_REGISTRY:-}stitch-${role}:\${STITCH_VERSION:-${VERSION}}`);
    expect(Number(service?.stop_grace_period?.replace("s", "")) * 1_000).toBeGreaterThan(STOP_LIMIT);
    expect(service?.mem_limit).toMatch(/^\d+m$/);
  });

  test.each(SERVICES)("%s starts after the announcer and the addresses, so that it stops before them", (service) => {
    expect(services[service]?.depends_on).toEqual({
      announcer: { condition: "service_started" },
      addresses: { condition: "service_completed_successfully" },
    });
  });

  test("an init is the first process only where it has the account of the process that it signals", () => {
    const withInit = ROLES.filter((role) => services[role]?.init === true);
    expect(withInit).toEqual(onHost ? [] : ROLES);
  });

  test("only the addresses have NET_ADMIN", () => {
    const able = Object.entries(services).filter(([, { cap_add = [] }]) => cap_add.includes("NET_ADMIN"));
    expect(able.map(([name]) => name)).toEqual(["addresses"]);
    expect(services["addresses"]?.command).toEqual(VIPS);
  });
});

const HEALTHCHECK =
  /^HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) --retries=(\S+) CMD \["([^"]+)"\]$/m;

/** The values of a key in a unit file. */
const setting = (text: string, key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);

describe("docker/quadlet", () => {
  const units = entries("docker/quadlet").filter((path) => path.endsWith(".container"));

  test("has a unit for each container", () => {
    expect(units).toEqual(["addresses", ...ROLES].toSorted().map((name) => `docker/quadlet/stitch-${name}.container`));
  });

  test.each(ROLES)("%s has what compose.host.yaml gives it", (role) => {
    const text = read(`docker/quadlet/stitch-${role}.container`);
    expect(setting(text, "Image")).toEqual([`localhost/stitch-${role}:${VERSION}`]);
    expect(setting(text, "ReadOnly")).toEqual(["true"]);
    expect(setting(text, "RunInit")).toEqual([]);
    expect(setting(text, "DropCapability")).toEqual(["all"]);
    expect(setting(text, "AddCapability")).toEqual([LEAVES_ROOT.map((name) => `CAP_${name}`).join(" ")]);
    const patience = Number(/--stop-timeout=(\d+)/.exec(text)?.[1]);
    expect(patience * 1_000).toBeGreaterThan(STOP_LIMIT);
    expect(Number(setting(text, "TimeoutStopSec")[0])).toBeGreaterThan(patience);
  });

  test.each(ROLES)("%s is started again for ever, and asked as the image's own health check asks", (role) => {
    const text = read(`docker/quadlet/stitch-${role}.container`);
    expect(setting(text, "Restart")).toEqual(["always"]);
    expect(setting(text, "StartLimitIntervalSec")).toEqual(["0"]);
    const [interval, timeout, startPeriod, retries, command] =
      HEALTHCHECK.exec(read("docker/Dockerfile"))?.slice(1) ?? [];
    const named = ["Interval", "Timeout", "StartPeriod", "Retries", "Cmd"];
    const given = named.map((name) => setting(text, `Health${name}`)[0]);
    expect(given).toEqual([interval, timeout, startPeriod, retries, command]);
    expect(command).toBe("stitch-healthcheck");
  });

  test.each(SERVICES)("%s is stopped before the announcer", (service) => {
    const text = read(`docker/quadlet/stitch-${service}.container`);
    expect(setting(text, "After")).toEqual(["stitch-addresses.service stitch-announcer.service"]);
  });

  test("only the addresses have NET_ADMIN", () => {
    expect(units.filter((path) => read(path).includes("NET_ADMIN"))).toEqual([
      "docker/quadlet/stitch-addresses.container",
    ]);
  });
});

describe("docker/systemd/stitch-compose.service", () => {
  const text = read("docker/systemd/stitch-compose.service");

  test("has patience for the services' end and then the announcer's", () => {
    const { services } = parse(read("docker/compose.yaml"), { merge: true }) as { services: Record<string, Service> };
    const patience = Number(services["announcer"]?.stop_grace_period?.replace("s", ""));
    expect(Number(setting(text, "TimeoutStopSec")[0])).toBeGreaterThan(2 * patience);
  });

  test("needs the engine, and runs before everything that the engine starts is stopped", () => {
    expect(setting(text, "Requires")).toEqual(["docker.service"]);
    expect(setting(text, "After")[0]?.split(" ")).toContain("docker.service");
  });
});

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add: readonly string[] };
  };
  readonly livenessProbe?: { readonly httpGet?: { readonly port: number } };
}

describe("docker/kubernetes/daemonset.yaml", () => {
  const { spec } = (
    parse(read("docker/kubernetes/daemonset.yaml")) as {
      spec: {
        template: {
          spec: {
            hostNetwork: boolean;
            terminationGracePeriodSeconds: number;
            initContainers: readonly Container[];
            containers: readonly Container[];
          };
        };
      };
    }
  ).spec.template;
  const all = [...spec.initContainers, ...spec.containers];

  test("runs each image once, the announcer around the services", () => {
    expect(spec.initContainers.map(({ name }) => name)).toEqual(["addresses", "announcer"]);
    expect(spec.containers.map(({ name }) => name)).toEqual([...SERVICES]);
    expect(all.map(({ image }) => image)).toEqual(all.map(({ name }) => `stitch-${name}:${VERSION}`));
    expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(2 * STOP_LIMIT);
  });

  test("gives each container what compose.host.yaml gives it", () => {
    for (const { name, securityContext, args } of all) {
      expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
      expect(securityContext.capabilities.drop).toEqual(["ALL"]);
      expect(securityContext.capabilities.add).toEqual(name === "addresses" ? ["NET_ADMIN"] : LEAVES_ROOT);
      expect(args).toEqual(name === "addresses" ? VIPS : undefined);
    }
  });

  test("asks each service at the health address of the example's site.yaml", () => {
    const site = parse(read("docker/site/site.yaml")) as Readonly<Record<string, { readonly health: string }>>;
    for (const { name, livenessProbe } of spec.containers)
      expect(`127.0.0.1:${livenessProbe?.httpGet?.port}`).toBe(site[name]?.health);
  });
});
