import { request, type IncomingMessage } from "node:http";
import { formatDuration, seconds, type Duration } from "@stitch/clock";
import { CommandError } from "./usage.ts";

/** Largest answer taken from the control socket: 64 VIPs and what the journal remembers of each fit. */
const LARGEST_ANSWER = 16 * 2 ** 20;
/** A role answers in milliseconds; one that does not by now hangs, and the operator must hear it. */
const ANSWER_LIMIT: Duration = seconds(5);

/** Speaks to a role, the announcer if no other is named, over its control socket. Throws CommandError with what it said. */
export async function ask<T>(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  body?: object,
  limit: Duration = ANSWER_LIMIT,
  role = "announcer",
): Promise<T> {
  const response = await open(socketPath, method, path, body, limit, role);
  const text = await textOf(response, socketPath, role);
  const value = parsed(text, socketPath, role);
  if (response.statusCode === 200) return value as T;
  throw new CommandError(errorIn(value) ?? text);
}

/** Journal entries as they are written. Throws CommandError when the announcer goes. */
export async function* follow(socketPath: string): AsyncGenerator<string> {
  const response = await open(socketPath, "GET", "/events", undefined, ANSWER_LIMIT, "announcer");
  if (response.statusCode !== 200) {
    const text = await textOf(response, socketPath, "announcer");
    throw new CommandError(errorIn(parsed(text, socketPath, "announcer")) ?? text);
  }
  response.setTimeout(0); // a quiet journal is a good one
  let rest = "";
  try {
    for await (const piece of response.setEncoding("utf8")) {
      const lines = (rest + String(piece)).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch {
    // a killed announcer breaks the stream off; one that stops ends it: the operator hears the same
  }
  throw new CommandError(`the announcer is gone; ${socketPath} has closed`);
}

async function textOf(response: IncomingMessage, socketPath: string, role: string): Promise<string> {
  let text = "";
  try {
    for await (const piece of response.setEncoding("utf8")) {
      text += String(piece);
      if (text.length > LARGEST_ANSWER) throw new CommandError(`the ${role}'s answer is too long`);
    }
  } catch (failure) {
    if (failure instanceof CommandError) throw failure;
    throw new CommandError(`${socketPath}: the ${role} broke off in the middle of its answer`);
  }
  return text;
}

function parsed(text: string, socketPath: string, role: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${socketPath}: is no ${role}'s control socket; it answers "${text.slice(0, 80)}"`);
  }
}

function errorIn(value: unknown): string | undefined {
  return value !== null && typeof value === "object" && "error" in value ? String(value.error) : undefined;
}

function open(
  socketPath: string,
  method: string,
  path: string,
  body: object | undefined,
  limit: Duration,
  role: string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { "content-type": "application/json" };
    const call = request({ socketPath, method, path, headers, timeout: limit }, resolve);
    call.on("timeout", () => {
      const text = `${socketPath}: the ${role} took the question and gave no answer within ${formatDuration(limit)}: it hangs`;
      call.destroy(new CommandError(text));
    });
    call.on("error", (failure: NodeJS.ErrnoException) => {
      reject(failure instanceof CommandError ? failure : new CommandError(unreachable(socketPath, failure, role)));
    });
    call.end(payload);
  });
}

function unreachable(socketPath: string, { code = "unknown" }: NodeJS.ErrnoException, role: string): string {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return `no ${role} answers at ${socketPath}; is the site up (stitch up), and is this its file (-c FILE)?`;
    case "EACCES":
      return `${socketPath} may not be opened by this user; use the ${role}'s user or group`;
    default:
      return `${socketPath}: ${code}`;
  }
}
