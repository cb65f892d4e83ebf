import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { loadNative } from "@stitch/linux-io";
import { LeaseReader } from "./lease-reader.ts";

vi.setConfig({ testTimeout: 30_000 });

const MAIN = fileURLToPath(new URL("child/main.ts", import.meta.url));
/** A module that hides the addon, as where nobody has built it. */
const NO_ADDON = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const resolve = (specifier, context, next) => {
    if (specifier !== "#addon") return next(specifier, context);
    throw Object.assign(new Error("not built"), { code: "MODULE_NOT_FOUND" });
  };
  registerHooks({ resolve });
`)}`;
const POLL = { timeout: 15_000, interval: 10 };

/** A role in a process of its own. */
class Child {
  /** Of children that are started from now on, in the same test. */
  static nodeOptions: readonly string[] = [];
  readonly process: ChildProcessWithoutNullStreams;
  readonly exit: Promise<number | null>;
  #output = "";

  constructor(...argv: string[]) {
    this.process = spawn(process.execPath, [...Child.nodeOptions, MAIN, ...argv]);
    this.process.stdout.on("data", (bytes: Buffer) => (this.#output += bytes.toString()));
    this.process.stderr.on("data", (bytes: Buffer) => (this.#output += bytes.toString()));
    this.exit = once(this.process, "close").then(([code]) => code as number | null);
    children.push(this);
  }

  get lines(): Record<string, unknown>[] {
    return this.#output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  get messages(): unknown[] {
    return this.lines.map((line) => line["msg"]);
  }

  async serving(): Promise<number> {
    await vi.waitUntil(() => this.lines.some((line) => line["phase"] === "serving"), POLL);
    return Number(String(this.lines.find((line) => line["msg"] === "started")?.["health"]).split(":")[1]);
  }
}

const children: Child[] = [];
afterEach(async () => {
  Child.nodeOptions = [];
  for (const child of children.splice(0)) {
    child.process.kill("SIGKILL");
    await child.exit;
  }
});

describe("runService", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s: drains, lingers, exits with 0", async (signal) => {
    const child = new Child("127.0.0.1", "0");
    await child.serving();
    child.process.kill(signal);
    expect(await child.exit).toBe(0);
    expect(child.messages.at(-1)).toBe("stopped");
    expect(child.lines).toContainEqual(expect.objectContaining({ phase: "draining", service: "demo", site: "test" }));
  });

  test("without the native addon it serves, and says what that costs and why", async () => {
    Child.nodeOptions = ["--import", NO_ADDON];
    const child = new Child("127.0.0.1", "0");
    await child.serving();
    const warning = child.messages.find((message) => String(message).startsWith("every datagram costs"));
    expect(warning).toMatch(process.platform === "linux" ? /the addon is not built; build it with/ : /for Linux/);
  });

  test("with the native addon it says nothing of it", async () => {
    const child = new Child("127.0.0.1", "0");
    await child.serving();
    const said = child.messages.some((message) => String(message).includes("every datagram costs"));
    expect(said).toBe(loadNative().native === undefined);
  });

  test("asked to stop while it is still opening its sockets, it stops in order", async () => {
    const child = new Child("127.0.0.1", "0", "slow");
    await vi.waitFor(() => expect(child.messages).toContain("opening"), POLL);
    child.process.kill("SIGTERM");
    expect(await child.exit).toBe(0);
    expect(child.messages.at(-1)).toBe("stopped");
  });

  test("the signals of one wish (terminal, npm, supervisor) do not cut the draining short", async () => {
    const child = new Child("127.0.0.1", "0");
    await child.serving();
    child.process.kill("SIGINT");
    child.process.kill("SIGTERM");
    await vi.waitFor(() => expect(child.lines).toContainEqual(expect.objectContaining({ phase: "draining" })), POLL);
    child.process.kill("SIGTERM");
    expect(await child.exit).toBe(0);
    expect(child.messages.at(-1)).toBe("stopped");
  });

  test("a second wish, a second later, ends it at once with 1", async () => {
    const child = new Child("127.0.0.1", "0");
    const holder = await LeaseReader.open(await child.serving());
    child.process.kill("SIGTERM");
    await vi.waitFor(() => {
      child.process.kill("SIGTERM");
      expect(child.process.exitCode).not.toBeNull();
    }, POLL);
    expect(await child.exit).toBe(1);
    expect(child.messages).not.toContain("stopped");
    holder.close();
  });

  test("a killed service ends its lease at once", async () => {
    const child = new Child("127.0.0.1", "0");
    const holder = await LeaseReader.open(await child.serving());
    await vi.waitFor(() => expect(holder.named("renewal").length).toBeGreaterThan(0), POLL);
    child.process.kill("SIGKILL");
    await vi.waitFor(() => expect(holder.ended).toBe(true), POLL);
  });

  test("a health port that is taken: exit 2 with the sentence", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const child = new Child("127.0.0.1", String(port));
    expect(await child.exit).toBe(2);
    expect(child.messages).toEqual([
      `cannot bind the health endpoint on tcp 127.0.0.1:${port}: another program holds it; stop that one or choose another \`health\` address`,
    ]);
    taken.close();
  });

  test("a health address of another machine: exit 2 with the sentence", async () => {
    const child = new Child("192.0.2.77", "8153");
    expect(await child.exit).toBe(2);
    expect(child.messages).toEqual([
      "cannot bind the health endpoint on tcp 192.0.2.77:8153: the address is not on this machine; choose another `health` address",
    ]);
  });

  test("a service address that is taken: exit 2 with its sentence", async () => {
    const child = new Child("127.0.0.1", "0", "bind");
    expect(await child.exit).toBe(2);
    expect(child.messages).toEqual(["cannot bind udp 127.0.0.1:1: taken"]);
  });

  test("any other failure to start: exit 1 with its stack, for a supervisor to try again", async () => {
    const child = new Child("127.0.0.1", "0", "throws");
    expect(await child.exit).toBe(1);
    expect(child.lines).toEqual([expect.objectContaining({ level: "fatal", msg: "could not start" })]);
  });
});
