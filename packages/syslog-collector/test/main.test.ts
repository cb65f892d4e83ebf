import { createSocket } from "node:dgram";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { readRecords } from "../src/store/reader.ts";
import { endAll, freePort, serving, startCollector } from "./collector-process.ts";
import { eventually, newFolder, tidy } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

afterEach(async () => {
  await endAll();
  await tidy();
});

const ADDRESS = "127.20.1.14";

async function stored(path: string): Promise<string[]> {
  return (await Array.fromAsync(readRecords({ path }))).map(({ message }) => message);
}

async function send(port: number, messages: readonly string[]): Promise<void> {
  const socket = createSocket("udp4");
  for (const message of messages) {
    await new Promise((resolve) => void socket.send(`<13>${message}`, port, ADDRESS, resolve));
  }
  socket.close();
}

describe("the collector as a process", () => {
  test("stores what is sent, counts it, and keeps all of it when it is told to stop", async () => {
    const [store, port] = [await newFolder(), await freePort()];
    const collector = await startCollector({ listen: `udp://${ADDRESS}:${port}`, store });
    await serving(collector);
    const messages = Array.from({ length: 500 }, (_, i) => `message ${i}`);
    await send(port, messages);
    await eventually(async () => (await stored(store)).length === 500, "500 stored");
    const metrics = await (await fetch(`${collector.health}/metrics`)).text();
    expect(metrics).toMatch(/stitch_syslog_datagrams_total\{reason="unparsed"[^}]*\} 500\n/);
    expect(metrics).toMatch(/stitch_syslog_datagrams_total\{reason="self-check"[^}]*\} [1-9]/);
    await send(port, ["last"]);
    collector.process.kill("SIGTERM");
    expect(await collector.exit).toBe(0);
    expect(await stored(store)).toEqual([...messages, "last"]);
  });

  test("killed without warning, it keeps what it had written, and goes on numbering after it", async () => {
    const [store, port] = [await newFolder(), await freePort()];
    const first = await startCollector({ listen: `udp://${ADDRESS}:${port}`, store });
    await serving(first);
    await send(port, ["one", "two"]);
    await eventually(async () => (await stored(store)).length === 2, "two stored");
    first.process.kill("SIGKILL");
    await first.exit;
    const second = await startCollector({ listen: `udp://${ADDRESS}:${port}`, store });
    await serving(second);
    await send(port, ["three"]);
    await eventually(async () => (await stored(store)).length === 3, "three stored");
    const records = await Array.fromAsync(readRecords({ path: store }));
    expect(records.map(({ seq, message }) => [seq, message])).toEqual([
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ]);
  });

  test("a port that is taken: one sentence, exit code 2", async () => {
    const holder = createSocket("udp4");
    await new Promise<void>((resolve) => void holder.bind(0, ADDRESS, resolve));
    const { port } = holder.address();
    const collector = await startCollector({ listen: `udp://${ADDRESS}:${port}`, store: await newFolder() });
    expect(await collector.exit).toBe(2);
    expect(collector.output()).toContain(`cannot bind udp ${ADDRESS}:${port}: another program holds it`);
    holder.close();
  });

  test("a store that cannot be written: where in the file, what to do, exit code 2", async () => {
    const folder = await newFolder();
    await writeFile(join(folder, "file"), "");
    const collector = await startCollector({
      listen: `udp://${ADDRESS}:${await freePort()}`,
      store: join(folder, "file", "store"),
    });
    expect(await collector.exit).toBe(2);
    expect(collector.output()).toMatch(
      /site\.yaml:6: syslog\.store\.path: .*cannot be used as a store \(ENOTDIR\); name a folder/,
    );
  });

  test("a store that another collector writes to: says which process, exit code 2", async () => {
    const store = await newFolder();
    const first = await startCollector({ listen: `udp://${ADDRESS}:${await freePort()}`, store });
    await serving(first);
    const second = await startCollector({ listen: `udp://${ADDRESS}:${await freePort()}`, store });
    expect(await second.exit).toBe(2);
    expect(second.output()).toContain(`process ${first.process.pid} already writes to ${store}`);
  });

  test("a setting that is not understood: exit code 2", async () => {
    const collector = await startCollector({
      listen: `tcp://${ADDRESS}:601`,
      store: await newFolder(),
      more: "  sinks: []\n",
    });
    expect(await collector.exit).toBe(2);
    expect(collector.output()).toContain("tcp:// is not served yet: this version takes syslog over udp:// only");
    expect(collector.output()).toContain('unknown setting \\"sinks\\"');
  });
});
