import type { ProblemReason } from "./reasons.ts";

/** Why a session cannot be spoken; the message says what to do. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly reason: ProblemReason;

  constructor(reason: ProblemReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
