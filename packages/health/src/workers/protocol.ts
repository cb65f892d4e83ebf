import type { HealthIdentity } from "../health.ts";
import type { WorkerLayout } from "./table.ts";

/** What a role's main thread and its workers agree on; everything in it can be cloned. */
export interface WorkerContract {
  /** Given to every worker at its start. */
  readonly settings: unknown;
  /** What a worker says once its sockets are open and it is warm. */
  readonly ready: unknown;
  /** Now and then, never per datagram. */
  readonly toWorker: unknown;
  readonly toMain: unknown;
  readonly reason: string;
  readonly figure: string;
}

/** What a worker finds when it starts. */
export interface WorkerData<C extends WorkerContract> {
  readonly index: number;
  readonly workers: number;
  readonly identity: HealthIdentity;
  readonly layout: WorkerLayout<C["reason"], C["figure"]>;
  readonly memory: SharedArrayBuffer;
  readonly settings: C["settings"];
}

export type ToWorker<C extends WorkerContract> =
  | { readonly kind: "told"; readonly body: C["toWorker"] }
  | { readonly kind: "close" };

export type FromWorker<C extends WorkerContract> =
  | { readonly kind: "ready"; readonly body: C["ready"] }
  | { readonly kind: "failed"; readonly failure: FailureText }
  | { readonly kind: "told"; readonly body: C["toMain"] }
  | { readonly kind: "closed" };

/** A failure as it crosses threads, where classes and causes are lost. `name` decides the exit code, as for any failure. */
export interface FailureText {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

export function textOfFailure(failure: unknown): FailureText {
  if (!(failure instanceof Error))
    return { name: "Error", message: String(failure), code: undefined, stack: undefined };
  const { name, message, stack, code } = failure as NodeJS.ErrnoException;
  return { name, message, code, stack };
}

export function failureOfText({ name, message, code, stack }: FailureText): Error {
  const failure = new Error(message);
  failure.name = name;
  if (stack !== undefined) failure.stack = stack;
  return code === undefined ? failure : Object.assign(failure, { code });
}
