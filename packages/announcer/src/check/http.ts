import { get, type IncomingMessage } from "node:http";
import type { Verdict } from "@stitch/health";
import { formatPointer, valueAt, type JsonPointer } from "./json-pointer.ts";
import { failed, passed, type PollResult, type Probe } from "./observer.ts";

/** A health document is small; something else on the port must not fill memory. */
export const LARGEST_BODY = 64 * 1_024;

export interface HttpCheck {
  readonly url: URL;
  /** Undefined: any from 200 to 299. */
  readonly status: number | undefined;
  /** Where the body, JSON, says how it is. */
  readonly verdict: JsonPointer | undefined;
  /** Where it says how busy it is. */
  readonly load: JsonPointer | undefined;
  /** The load that counts as saturated. */
  readonly fullLoad: number;
  readonly localAddress: string | undefined;
}

/** How health documents say it; anything else is no answer. */
const WORDS: ReadonlyMap<unknown, Verdict> = new Map<unknown, Verdict>([
  ["pass", "pass"],
  ["ok", "pass"],
  ["up", "pass"],
  ["healthy", "pass"],
  [true, "pass"],
  ["degraded", "degraded"],
  ["warn", "degraded"],
  ["fail", "fail"],
  ["error", "fail"],
  ["down", "fail"],
  ["unhealthy", "fail"],
  [false, "fail"],
]);

/** GET, then status, verdict and load, in this order. A redirect is not followed: it would ask something else. */
export function httpProbe(check: HttpCheck): Probe {
  return async (signal) => {
    const response = await fetched(check.url, check.localAddress, signal);
    return judge(check, response.status, response.body);
  };
}

/** Pure: what an answer means. A body that is cut off at the bound is not JSON, and says so. */
export function judge(check: HttpCheck, status: number, body: string): PollResult {
  const expected = check.status === undefined ? status >= 200 && status <= 299 : status === check.status;
  if (!expected) return failed(`HTTP ${status} at ${check.url.host}`);
  if (check.verdict === undefined && check.load === undefined) return passed(`HTTP ${status}`);
  const document = parseJson(body);
  if (document === undefined) return failed(`the answer of ${check.url.host} is not JSON of at most 64 KiB`);
  const load = loadIn(document, check);
  const result = check.verdict === undefined ? passed(`HTTP ${status}`) : verdictIn(document, check.verdict);
  return load === undefined ? result : { ...result, load };
}

function verdictIn(document: unknown, pointer: JsonPointer): PollResult {
  const value = valueAt(document, pointer);
  const verdict = WORDS.get(typeof value === "string" ? value.toLowerCase() : value);
  const where = formatPointer(pointer);
  if (verdict === undefined) return failed(`no verdict at ${where}: ${String(JSON.stringify(value)).slice(0, 64)}`);
  return { verdict, detail: `${where} is ${String(value)}` };
}

/** A load that is missing or absurd moves nobody: the last one holds. */
function loadIn(document: unknown, { load: pointer, fullLoad }: HttpCheck): number | undefined {
  if (pointer === undefined) return undefined;
  const value = valueAt(document, pointer);
  if (typeof value !== "number" || !(value >= 0) || value === Infinity) return undefined;
  return Math.min(1, value / fullLoad);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads at most LARGEST_BODY; the rest is not waited for. */
export function fetched(
  url: URL,
  localAddress: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const from = localAddress === undefined ? {} : { localAddress };
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal, ...from }, (response) => {
      const whole = readBody(response).then((body) => ({ status: response.statusCode ?? 0, body }));
      resolve(whole.finally(() => request.destroy()));
    });
    request.on("error", reject);
  });
}

function readBody(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const done = (): void => resolve(Buffer.concat(pieces).subarray(0, LARGEST_BODY).toString("utf8"));
    response.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > LARGEST_BODY) done();
    });
    response.on("end", done);
    response.on("error", reject);
    response.on("close", () => reject(new Error("the answer broke off")));
  });
}
