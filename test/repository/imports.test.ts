import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { importsOf, nameOf, packageOf, PACKAGES, shipped, type SourceFile } from "./tree.ts";

const SERVICE_MAY = ["health", "config", "clock", "linux-io"];

/** Which packages of ours a package may import (design: the house). What is not listed may import none. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  clock: [],
  config: ["clock"],
  "linux-io": ["clock"],
  health: ["clock", "config", "linux-io"],
  "bgp-speaker": ["clock"],
  bfd: ["clock", "linux-io"],
  announcer: ["bgp-speaker", "bfd", "health", "config", "clock", "linux-io"],
  "dns-resolver": SERVICE_MAY,
  "syslog-collector": SERVICE_MAY,
  "sntp-responder": SERVICE_MAY,
  console: ["clock", "config", "health"],
};

/** The command puts the site together, so it may import every role. */
const IMPORTS_ALL = "cli";

const ROLES: Readonly<Record<string, string>> = {
  "dns-resolver": "resolver.ts",
  "syslog-collector": "collector.ts",
  "sntp-responder": "responder.ts",
};

/** Files outside wire/ that a codec may import: they hold closed sets of words and touch nothing. */
const BESIDE_WIRE = new Set(["reasons.ts"]);

/** Where a thread begins: these pick implementations and open sockets. */
const SHELLS = new Set(["main.ts", "worker.ts"]);

/** Built-in modules that do I/O: not for codecs and decisions. Pure functions of node:net are let through by name. */
const IO = new Set([
  "node:dgram",
  "node:net",
  "node:tls",
  "node:fs",
  "node:fs/promises",
  "node:http",
  "node:https",
  "node:dns",
  "node:child_process",
  "node:worker_threads",
  "node:os",
  "node:timers",
  "node:timers/promises",
]);
const PURE_OF_NET = new Set(["isIP", "isIPv4", "isIPv6", "BlockList"]);

function target(file: SourceFile, specifier: string): string {
  return normalize(join(dirname(file.path), specifier));
}

function offences(files: readonly SourceFile[], wrong: (file: SourceFile, specifier: string) => boolean): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier }) => wrong(file, specifier))
      .map(({ specifier }) => `${file.path} imports ${specifier}`),
  );
}

function doesIo({ specifier, typeOnly, names }: ReturnType<typeof importsOf>[number]): boolean {
  if (typeOnly || !IO.has(specifier)) return false;
  return !(specifier === "node:net" && names.length > 0 && names.every((name) => PURE_OF_NET.has(name)));
}

/** The files that `start` reaches by imports that survive to run time, itself included. */
function reached(start: SourceFile, files: readonly SourceFile[]): SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const seen = new Set([start]);
  for (const file of seen) {
    for (const { specifier, typeOnly } of importsOf(file)) {
      const next = specifier.startsWith(".") && !typeOnly ? byPath.get(target(file, specifier)) : undefined;
      if (next !== undefined) seen.add(next);
    }
  }
  return [...seen];
}

describe.each(PACKAGES)("%s", (name) => {
  const files = shipped(name);

  test("has sources", () => {
    expect(files.length).toBeGreaterThanOrEqual(3);
  });

  test("imports only the packages of ours that its place allows", () => {
    const allowed = name === IMPORTS_ALL ? PACKAGES : (MAY_IMPORT[name] ?? []);
    const wrong = offences(files, (_file, specifier) => {
      const other = packageOf(specifier)?.replace(/^@stitch\//, "");
      return specifier.startsWith("@stitch/") && other !== undefined && other !== name && !allowed.includes(other);
    });
    expect(wrong).toEqual([]);
  });

  test("reaches other packages by name, never by path", () => {
    const folder = normalize(`packages/${name}/`);
    expect(
      offences(files, (file, specifier) => specifier.startsWith(".") && !target(file, specifier).startsWith(folder)),
    ).toEqual([]);
  });

  test("does not ship FakeClock or dns-packet, which are for tests, the lab and the command", () => {
    const wrong = offences(files, (_file, specifier) => {
      if (specifier === "@stitch/clock/testing") return true;
      return packageOf(specifier) === "dns-packet" && name !== IMPORTS_ALL;
    });
    expect(wrong).toEqual([]);
  });

  test("keeps wire/ to itself: codecs import their own folder and do no I/O", () => {
    const wire = files.filter(({ path }) => path.includes("/wire/"));
    const outside = offences(wire, (file, specifier) => {
      if (specifier.startsWith("node:")) return false;
      if (!specifier.startsWith(".")) return true;
      const home = file.path.slice(0, file.path.indexOf("/wire/") + "/wire/".length);
      return !target(file, specifier).startsWith(home) && !BESIDE_WIRE.has(nameOf(specifier));
    });
    const io = wire.flatMap((file) =>
      importsOf(file)
        .filter(doesIo)
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    );
    expect([...outside, ...io]).toEqual([]);
  });

  test("nothing imports main.ts or worker.ts, and only these two import server.ts", () => {
    const wrong = offences(files, (file, specifier) => {
      if (!specifier.startsWith(".")) return false;
      const to = target(file, specifier);
      if (to === `packages/${name}/src/main.ts`) return nameOf(file.path) !== "stitch.js";
      if (to === `packages/${name}/src/worker.ts`) return true;
      return to === `packages/${name}/src/server.ts` && !SHELLS.has(nameOf(file.path));
    });
    expect(wrong).toEqual([]);
  });
});

describe.each(Object.entries(ROLES))("the decision of %s", (name, role) => {
  const files = shipped(name);
  const start = files.find(({ path }) => path === `packages/${name}/src/${role}`);

  test(`is ${role}, and neither it nor what it imports does I/O`, () => {
    expect(start?.path).toBe(`packages/${name}/src/${role}`);
    const closure = start === undefined ? [] : reached(start, files);
    expect(closure.length).toBeGreaterThan(1);
    const shells = closure
      .filter(({ path }) => ["server.ts", "main.ts", "worker.ts"].includes(nameOf(path)))
      .map(({ path }) => path);
    const io = closure.flatMap((file) =>
      importsOf(file)
        .filter(doesIo)
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    );
    expect([...shells, ...io]).toEqual([]);
  });
});

test("every package has its place in the table of imports, and no other", () => {
  const later = new Set(["console"]);
  const placed = Object.keys(MAY_IMPORT).filter((name) => !later.has(name) || PACKAGES.includes(name));
  expect([...placed, IMPORTS_ALL].toSorted()).toEqual(PACKAGES);
});
