import type { Variant } from "./variant.ts";

/**
 * What a drill may do to a running topology, and nothing else. Network namespaces implement it (`namespace/`), and so do the
 * containers that containerlab deploys (`containerlab/`); no drill knows which.
 */
export interface Lab {
  /** Which topology this is. */
  readonly variant: Variant;
  /** "namespaces" or the name of another driver, for the head of a table. */
  readonly driver: string;
  /** Versions that belong beside every measured number: FRR, kernel, node. */
  readonly versions: Readonly<Record<string, string>>;
  /** Nodes that run stitch. */
  readonly hosts: readonly string[];
  /** The common clock of runner, probes and captures: ns, monotonic. */
  now(): Nanoseconds;
  exec(node: string, argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Starts a long-lived program; it ends with the lab at the latest. */
  spawn(node: string, argv: readonly string[]): LabProcess;
  /** Signals a role of stitch on a host, or `supervisor`, the process above them. Answers the time just before kill(2). */
  signal(node: string, roles: readonly string[], signal: NodeJS.Signals): Promise<Nanoseconds>;
  /** The end of what a host's stitch has printed, for a failure's text. */
  log(node: string): Promise<string>;
  /** The pids of stitch's roles as the host itself counts them. */
  roles(node: string): Promise<Readonly<Record<string, RoleStatus>>>;
  /** Stops a host's stitch in order and starts it again, as an upgrade does; resolves when every role runs anew. */
  restart(node: string): Promise<void>;
  /** Takes the link between two nodes down or up at the first one's end. */
  link(nodeA: string, nodeB: string, state: "up" | "down"): Promise<void>;
  /** Records what passes an interface; resolves once the capture runs. */
  capture(node: string, device: string, filter: string): Promise<Capture>;
  down(): Promise<void>;
}

declare const nanosecondsBrand: unique symbol;
/** Monotonic nanoseconds. */
export type Nanoseconds = bigint & { readonly [nanosecondsBrand]: "nanoseconds" };

export function millisecondsBetween(from: Nanoseconds, to: Nanoseconds): number {
  return Number(to - from) / 1e6;
}

export interface ExecOptions {
  /** A non-zero exit code is a value, not an error. */
  readonly mayFail?: boolean;
  readonly timeoutMs?: number;
}
export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}
export interface RoleStatus {
  readonly pid: number | null;
  readonly restarts: number;
}

export interface LabProcess {
  /** The next line it prints; undefined at the end of its output. */
  line(): Promise<string | undefined>;
  /** Closes its standard input: our programs take that as "finish and report". */
  finish(): void;
  kill(signal?: NodeJS.Signals): void;
  readonly done: Promise<number>;
  /** What it wrote to standard error, for a failure's text. */
  readonly complaints: () => string;
}

export interface CapturedPacket {
  readonly time: Nanoseconds;
  /** From the Ethernet header on. */
  readonly bytes: Uint8Array;
}
export interface Capture {
  /** Ends the capture and answers everything it saw. */
  stop(): Promise<readonly CapturedPacket[]>;
}
