import { randomUUID } from "node:crypto";
import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import { fetched } from "./http.ts";
import { failed, passed, type PollResult, type Probe } from "./observer.ts";
import { SELF_CHECK, sumOf } from "./prometheus.ts";
import { sendOnly, type UdpTarget } from "./udp.ts";
import { encodeProbe } from "./wire/syslog.ts";

/** Where the token of this probe belongs in a read-back URL. */
export const TOKEN = "{token}";
/** Between two looks at the read-back URL within one check. */
const LOOK_AGAIN: Duration = milliseconds(50);

export interface SyslogCheck extends UdpTarget {
  /**
   * With `{token}`: the page must contain the token, which proves that this very message can be read.
   * Without: a page of metrics on which `counter` must grow.
   */
  readonly readBack: string;
  readonly counter: string;
}

/**
 * Sends a message and reads it back: a datagram that was sent proves nothing, for UDP says nothing of the other end.
 * Where only a counter is read, a message that arrived meanwhile counts too: the collector takes messages in, if not
 * this one.
 */
export function syslogProbe(check: SyslogCheck, clock: Clock): Probe {
  return async (signal) => {
    const token = randomUUID();
    const seen = await lookOut(check, token, signal);
    await sendOnly(check, encodeProbe(token));
    for (;;) {
      const result = await seen();
      if (result !== undefined) return result;
      await new Promise<void>((resolve) => void clock.after("read-back", LOOK_AGAIN, resolve));
      signal.throwIfAborted();
    }
  };
}

type Look = () => Promise<PollResult | undefined>;

/** Prepared before the message is sent, since a counter must be read before. */
async function lookOut({ readBack, counter }: SyslogCheck, token: string, signal: AbortSignal): Promise<Look> {
  const url = new URL(readBack.replaceAll(TOKEN, token));
  const page = (): ReturnType<typeof fetched> => fetched(url, undefined, signal);
  if (readBack.includes(TOKEN)) {
    return async () => (shown(await page())?.includes(token) ? passed("the message was read back") : undefined);
  }
  const first = await page();
  const body = shown(first);
  if (body === undefined) return () => Promise.resolve(failed(`HTTP ${first.status} at ${url.host}`));
  const before = sumOf(body, counter, SELF_CHECK);
  if (before === undefined) return () => Promise.resolve(failed(`${url.host} has no metric ${counter}`));
  return async () => {
    const now = sumOf(shown(await page()) ?? "", counter, SELF_CHECK);
    return now !== undefined && now > before ? passed(`${counter} has grown`) : undefined;
  };
}

/** The page that was asked for. One that says it could not be found may well repeat the URL, token and all. */
function shown({ status, body }: Awaited<ReturnType<typeof fetched>>): string | undefined {
  return status >= 200 && status <= 299 ? body : undefined;
}
