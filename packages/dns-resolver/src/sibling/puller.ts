import { get, type IncomingMessage } from "node:http";
import { elapsed, scaled, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { LARGEST_PARTS } from "./parts.ts";
import { askProof, newNonce, opened, PROOF_HEADER, SEAL_BYTES } from "./proof.ts";

/** For all siblings together: clients wait for a start, or another site serves them. */
export const PULL_LIMIT: Duration = seconds(2);
const LARGEST_ANSWER = LARGEST_PARTS + SEAL_BYTES;

/** Why a sibling gave nothing: no connection, or one that broke; no whole answer in time; a status other than 200; more than
 * there can be; or bytes that were not sealed by the same secret for this question. */
export type PullFault = "unreachable" | "late" | "refused" | "oversized" | "forged";

export interface Pulled {
  readonly sibling: Endpoint;
  readonly bytes: Buffer;
  /** What is in it was true then or later. */
  readonly askedAt: Instant;
}

export interface PullOptions {
  readonly siblings: readonly Endpoint[];
  readonly secret: Uint8Array;
  readonly clock: Clock;
  /** Ends the pull with nothing. */
  readonly stop: AbortSignal;
}

/**
 * Asks one sibling after the other until one answers well. Each has its even share of the time that is left, so that one
 * which is silent does not keep the next from being asked. Resolves with what each did when none of them gave anything.
 */
export async function pull({ siblings, secret, clock, stop }: PullOptions): Promise<Pulled | readonly string[]> {
  const began = clock.now();
  const failed: string[] = [];
  for (const [i, sibling] of siblings.entries()) {
    const left = (PULL_LIMIT - elapsed(began, clock.now())) as Duration;
    if (left <= 0 || stop.aborted) break;
    const askedAt = clock.now();
    const found = await ask(sibling, { secret, clock, stop }, scaled(left, 1 / (siblings.length - i)));
    if (typeof found !== "string") return { sibling, bytes: found, askedAt };
    failed.push(`${formatEndpoint(sibling)} ${found}`);
  }
  return failed;
}

type Means = Omit<PullOptions, "siblings">;

function ask(sibling: Endpoint, { secret, clock, stop }: Means, limit: Duration): Promise<Buffer | PullFault> {
  const nonce = newNonce();
  return new Promise((resolve) => {
    const request = get({
      host: sibling.address,
      port: sibling.port,
      path: `/cache?nonce=${nonce}`,
      headers: { [PROOF_HEADER]: askProof(secret, nonce) },
      agent: false,
    });
    const end = (outcome: Buffer | PullFault): void => {
      timer.cancel();
      stop.removeEventListener("abort", stopped);
      request.destroy();
      resolve(outcome);
    };
    const timer = clock.after("pull-limit", limit, () => end("late"));
    const stopped = (): void => end("late");
    stop.addEventListener("abort", stopped);
    request.on("error", () => end("unreachable"));
    request.on("response", (response) => {
      if (response.statusCode !== 200) return end("refused");
      read(response, (body) => end(typeof body === "string" ? body : (opened(secret, nonce, body) ?? "forged")));
    });
  });
}

/** Keeps no more than there can be, whatever is sent. */
function read(response: IncomingMessage, done: (body: Buffer | PullFault) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > LARGEST_ANSWER) return done("oversized");
    chunks.push(chunk);
  });
  response.on("end", () => done(Buffer.concat(chunks)));
  response.on("error", () => done("unreachable"));
}
