import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { freePort } from "../../free-port.ts";
import { type Report, RoleProcess } from "../../role-process.ts";

const POLL = { timeout: 30_000, interval: 10 };

export interface RoleKind {
  /** Folder below packages/. */
  readonly folder: string;
  /** Section of site.yaml. */
  readonly section: string;
  readonly address: string;
  /** More of the section, each line indented by two. */
  readonly settings: string;
  /** A datagram that is answered. */
  readonly request: Uint8Array;
}

/** A service with two workers as a process of its own, which can be told to break one of them. */
export class Role {
  readonly port: number;
  readonly #kind: RoleKind;
  readonly #process: RoleProcess;
  readonly #folder: string;
  readonly #health: string;

  static async start(kind: RoleKind, port?: number): Promise<Role> {
    const role = new Role(kind, port ?? (await freePort(kind.address)), await freePort("127.0.0.1"));
    running.push(role);
    return role;
  }

  private constructor(kind: RoleKind, port: number, healthPort: number) {
    this.port = port;
    this.#kind = kind;
    this.#health = `http://127.0.0.1:${healthPort}`;
    this.#folder = mkdtempSync(join(tmpdir(), "stitch-workers-"));
    const site = join(this.#folder, "site.yaml");
    const { folder, section, address, settings } = kind;
    const listen = `  listen: ["${address}:${port}"]\n  health: "127.0.0.1:${healthPort}"\n  workers: 2\n`;
    writeFileSync(site, `site: nyc\ninstance: nyc-1\n${section}:\n${listen}${settings}`);
    this.#process = new RoleProcess(folder, site, "run-breakable.ts");
  }

  get output(): string {
    return this.#process.output;
  }

  get exit(): Promise<number | null> {
    return this.#process.ended;
  }

  order(worker: number, what: "hang" | "crash"): void {
    this.#process.send({ worker, what });
  }

  signal(name: NodeJS.Signals): void {
    this.#process.signal(name);
  }

  async health(): Promise<Report | undefined> {
    const answer = await fetch(`${this.#health}/health`).catch(() => undefined);
    return answer === undefined ? undefined : ((await answer.json()) as Report);
  }

  /** Polls until the report is as wanted; throws with the output of the process. */
  until(wanted: (report: Report) => boolean): Promise<Report> {
    return vi.waitFor(async () => {
      const report = await this.health();
      if (report === undefined || !wanted(report)) throw new Error(`${JSON.stringify(report)}\n${this.output}`);
      return report;
    }, POLL);
  }

  serving(): Promise<Report> {
    return this.until(({ phase, verdict }) => phase === "serving" && verdict === "pass");
  }

  /** What each worker has counted. */
  async counted(): Promise<number[]> {
    const text = await (await fetch(`${this.#health}/metrics`)).text();
    return [...text.matchAll(/^stitch_health_worker_outcomes_total\{.*\} (\d+)$/gm)].map(([, n]) => Number(n));
  }

  /** One request from a new port; whether it was answered within a second. */
  ask(): Promise<boolean> {
    const socket = createSocket("udp4");
    return new Promise((resolve) => {
      const limit = setTimeout(() => done(false), 1_000);
      const done = (answered: boolean): void => {
        clearTimeout(limit);
        socket.close();
        resolve(answered);
      };
      socket.once("message", () => done(true));
      socket.send(this.#kind.request, this.port, this.#kind.address);
    });
  }

  async end(): Promise<void> {
    await this.#process.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const running: Role[] = [];

/** For afterEach: nothing that was started is left. */
export async function endAll(): Promise<void> {
  await Promise.all(running.splice(0).map((role) => role.end()));
}
