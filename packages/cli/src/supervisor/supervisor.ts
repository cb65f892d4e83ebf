import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Duration } from "@stitch/clock";
import { RoleProcess, type RoleChange } from "./role-process.ts";

/** One role to run. `wave` orders stopping: services (0) first, so that their routes leave before they do. */
export interface RoleSpec {
  readonly name: string;
  readonly argv: readonly string[];
  readonly wave: number;
}

export interface SupervisorOptions {
  readonly roles: readonly RoleSpec[];
  readonly clock: Clock;
  /** Gets roles.json: who runs with which pid, for scripts and drills. */
  readonly runDirectory: string;
  readonly stopLimit: Duration;
  readonly onLine: (role: string, line: string) => void;
  readonly onChange: (role: string, change: RoleChange) => void;
}

/** All roles of a site, each a process of its own, restarted with back-off; one that dies takes no other with it. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #roles: { readonly process: RoleProcess; readonly wave: number }[];
  #stopping: Promise<void> | undefined;
  #unrecorded = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#roles = options.roles.map(({ name, argv, wave }) => ({
      wave,
      process: new RoleProcess({
        name,
        argv,
        clock: options.clock,
        onLine: options.onLine,
        onChange: (role, change) => {
          this.#record();
          options.onChange(role.name, change);
        },
      }),
    }));
  }

  start(): void {
    for (const { process: role } of this.#roles) role.start();
  }

  pidOf(name: string): number | undefined {
    return this.#roles.find(({ process: role }) => role.name === name)?.process.pid;
  }

  /** Stops wave by wave: the roles of one together, the next when they are gone. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const waves = [...new Set(this.#roles.map(({ wave }) => wave))].toSorted((a, b) => a - b);
    for (const wave of waves) {
      const members = this.#roles.filter((role) => role.wave === wave);
      await Promise.all(members.map(({ process: role }) => role.stop(this.#options.stopLimit)));
    }
  }

  /** Scripts want roles.json; the site lives without it. A full disk must not take the supervisor, and every role, down. */
  #record(): void {
    const { runDirectory, onLine } = this.#options;
    const roles = Object.fromEntries(
      this.#roles.map(({ process: { name, pid, restarts } }) => [name, { pid: pid ?? null, restarts }]),
    );
    try {
      mkdirSync(runDirectory, { recursive: true });
      const path = join(runDirectory, "roles.json");
      writeFileSync(`${path}.new`, `${JSON.stringify(roles)}\n`);
      renameSync(`${path}.new`, path);
      this.#unrecorded = false;
    } catch (failure) {
      if (!this.#unrecorded) onLine("stitch", `roles.json cannot be written: ${(failure as Error).message}`);
      this.#unrecorded = true;
    }
  }
}
