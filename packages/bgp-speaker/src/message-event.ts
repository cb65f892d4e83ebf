import type { FsmEvent, SessionState } from "./fsm.ts";
import { type LocalSide, negotiate, reasonOfOpenError } from "./negotiate.ts";
import type { Framed } from "./wire/header.ts";
import { decodeNotification } from "./wire/notification.ts";
import { decodeOpen } from "./wire/open.ts";

/** What a message must be judged against. */
export interface Reader {
  readonly state: SessionState;
  readonly local: LocalSide;
  readonly expectedAsn: number | "any";
}

/** The state machine's name for a message that arrived: RFC 4271 section 8.1.5. */
export function eventOf({ type, body }: Framed, reader: Reader): FsmEvent {
  switch (type) {
    case "open":
      return reader.state === "OpenSent" ? openEvent(body, reader) : { type: "second-open" };
    case "notification": {
      const read = decodeNotification(body);
      return read.ok ? { type, notification: read.value } : { type: "malformed", error: read.error };
    }
    case "keepalive":
      return { type };
    case "update":
    case "route-refresh":
      return { type, body };
  }
}

function openEvent(body: Uint8Array, { local, expectedAsn }: Reader): FsmEvent {
  const open = decodeOpen(body);
  if (!open.ok) return { type: "open-unsuitable", reason: reasonOfOpenError(open.error), error: open.error };
  const outcome = negotiate(local, expectedAsn, open.value);
  if (!outcome.ok) return { type: "open-unsuitable", reason: outcome.reason, error: outcome.error };
  return { type: "open", negotiated: outcome.value };
}
