import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { peer } from "@stitch/peers";
import { type LogRecord, readRecords } from "@stitch/syslog-collector/store";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { describeUnless, lacking } from "../lacking.ts";
import { RoleProcess } from "../role-process.ts";

// Real senders against the collector as a process: util-linux logger, and loggen of syslog-ng.

const ADDRESS = "127.20.7.14";
/** logger(1) is part of util-linux: on every Linux, and another program elsewhere. */
const logger = await execa("logger", ["--version"], { reject: false });
// `logger --rfc5424` exists in util-linux only, which prints its name; other systems have another logger.
const lacksLogger = logger.stdout.includes("util-linux") ? undefined : "the logger of util-linux is not here";
const lacksLoggen = await lacking({ peers: ["loggen"] });

let folder: string;
let port: number;
let collector: RoleProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stitch-interop-syslog-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  port = await freePort(ADDRESS);
  const health = await freePort("127.0.0.1");
  const site = join(folder, `${port}.yaml`);
  await writeFile(
    site,
    `site: nyc\nsyslog:\n  listen: ["udp://${ADDRESS}:${port}"]\n  health: "127.0.0.1:${health}"\n  store: { path: "${store()}" }\n`,
  );
  collector = new RoleProcess("syslog-collector", site);
  await collector.serving();
});

afterEach(() => collector.stop());

describeUnless(lacksLogger, "util-linux logger", () => {
  test("RFC 5424: every field, structured data, UTF-8", async () => {
    const flags = ["--rfc5424", "--id=4711", "--msgid", "ID47", "--tag", "app", "--priority", "local4.warning"];
    await send([...flags, "--sd-id", "zoo@32473", "--sd-param", 'tiger="hungry cat"', "Grüße 😀"]);
    const [record] = await stored(1);
    expect(record).toMatchObject({
      layout: "rfc5424",
      facility: 20,
      severity: 4,
      app: "app",
      pid: "4711",
      msgid: "ID47",
      message: "Grüße 😀",
    });
    expect(record?.sd?.["zoo@32473"]).toEqual({ tiger: "hungry cat" });
    expect(Date.parse(record?.time ?? "")).toBeGreaterThan(Date.parse(record?.rx ?? "") - 60_000);
  });

  test("RFC 5424 without time and host", async () => {
    await send(["--rfc5424=notime,nohost,notq", "--tag", "app", "hello"]);
    const [record] = await stored(1);
    expect(record).toMatchObject({ layout: "rfc5424", facility: 1, severity: 5, app: "app", message: "hello" });
    expect([record?.time, record?.host, record?.sd]).toEqual([undefined, undefined, undefined]);
  });

  test("RFC 3164: time with the year of today, tag and process id", async () => {
    await send(["--rfc3164", "--id=4711", "--tag", "app", "--priority", "kern.emerg", "hello: world"]);
    const [record] = await stored(1);
    expect(record).toMatchObject({
      layout: "rfc3164",
      severity: 0,
      app: "app",
      pid: "4711",
      message: "hello: world",
    });
    expect(record?.host).toBeDefined();
    const zoneless = Date.parse(`${record?.time}Z`);
    expect(Math.abs(zoneless - Date.parse(record?.rx ?? ""))).toBeLessThan(15 * 3_600_000);
  });

  test("many in a row are stored in order", async () => {
    const file = join(folder, "lines");
    const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i}`);
    await writeFile(file, `${lines.join("\n")}\n`);
    await send(["--rfc5424", "--file", file]);
    expect((await stored(1_000)).map(({ message }) => message)).toEqual(lines);
  });
});

describeUnless(lacksLoggen, "loggen of syslog-ng", () => {
  /** Messages a second: what the portable sockets take on two shared cores without loss. */
  const RATE = 2_000;

  test.each([
    ["RFC 3164", "rfc3164", []],
    ["RFC 5424 with an octet count", "rfc5424", ["--syslog-proto"]],
    ["RFC 5424", "rfc5424", ["--syslog-proto", "--no-framing"]],
  ] as const)("%s: everything sent is stored, numbered without a gap", async (_name, layout, flags) => {
    const loggen = await peer("loggen");
    const amount = ["--rate", String(RATE), "--number", "4000", "--size", "250"];
    // Its plugins are looked for below this prefix.
    const { stderr } = await execa(
      loggen.program("loggen"),
      ["--dgram", "--inet", ...flags, ...amount, ADDRESS, String(port)],
      {
        env: { ...loggen.env, SYSLOGNG_PREFIX: loggen.path("usr") },
        timeout: 30_000,
        reject: false,
      },
    );
    const sent = Number(/count\s*=\s*(\d+)/.exec(stderr)?.[1] ?? 4_000);
    const records = await stored(sent);
    expect(records.length).toBeGreaterThanOrEqual(4_000);
    expect(new Set(records.map((record) => record.layout))).toEqual(new Set([layout]));
    const numbers = records.map(({ message }) => Number(/seq: (\d+)/.exec(message)?.[1] ?? Number.NaN));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    expect(records[0]).toMatchObject({ facility: 4, severity: 6, host: "localhost", app: "prg00000", pid: "1234" });
  });
});

function store(): string {
  return join(folder, `store-${port}`);
}

async function send(args: readonly string[]): Promise<void> {
  await execa("logger", ["--server", ADDRESS, "--port", String(port), "--udp", ...args], { timeout: 10_000 });
}

/** What the store holds once `count` records are there. */
async function stored(count: number): Promise<LogRecord[]> {
  let records: LogRecord[] = [];
  await eventually(
    async () => {
      records = (await readdir(store())).length === 0 ? [] : await Array.fromAsync(readRecords({ path: store() }));
      return records.length >= count;
    },
    () => `${count} stored, not ${records.length}`,
  );
  return records;
}

async function eventually(done: () => Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never happened: ${what()}`);
}
