import { healthText, isJournalKind, type JournalEntry } from "@stitch/announcer";

const WISH = { normal: "announced", "last-resort": "announced as last resort", none: "withdrawn" } as const;

/** A journal entry as a line for people. */
export function decisionText(entry: JournalEntry): string {
  const at = entry.at.slice(11, 23);
  switch (entry.kind) {
    case "decision": {
      const effect = entry.wish.from === entry.wish.to ? "" : `, route ${WISH[entry.wish.to]}`;
      const moved = entry.from === entry.to ? entry.to : `${entry.from} -> ${entry.to}`;
      return `${at} ${entry.service}: ${moved} (${entry.reason}: ${entry.detail})${effect}`;
    }
    case "health":
      return `${at} ${entry.service}: the check says ${healthText(entry)}${entry.detail === "" ? "" : ` (${entry.detail})`}`;
    case "update":
      return `${at} UPDATE to ${entry.peer}: ${[...entry.announced.map(plus), ...entry.withdrawn.map(minus)].join(" ")}`;
    case "session":
      return `${at} BGP ${entry.peer}: ${entry.from} -> ${entry.to} (${entry.reason}${entry.detail === "" ? "" : `: ${entry.detail}`})`;
    case "operator":
      return `${at} operator: ${entry.action} ${entry.vips.join(" ")}${entry.reason === "" ? "" : ` (${entry.reason})`}`;
    case "held":
      return `${at} ${entry.vip}: ${entry.detail}`;
    case "load":
      return `${at} ${entry.service}: load ${entry.load.toFixed(2)}, step ${entry.step}, own AS ${entry.prepend} times more`;
    case "proof":
      return `${at} ${entry.vip}: asked through the VIP, ${entry.verdict} in ${entry.took} ms (${entry.detail})`;
    case "acknowledged":
      return `${at} ${entry.peer} has acknowledged UPDATE ${entry.update} after ${entry.took} ms`;
    case "alarm":
      return `${at} alarm ${entry.alarm} (${entry.subject}) ${entry.ringing ? `rings: ${entry.detail}` : "is over"}`;
    case "note":
      return `${at} ${entry.detail}`;
    case "reload":
      return `${at} reload ${entry.accepted ? "done" : "refused"}: ${entry.detail.length === 0 ? "nothing has changed" : entry.detail.join("; ")}`;
  }
}

function plus(prefix: string): string {
  return `+${prefix}`;
}

function minus(prefix: string): string {
  return `-${prefix}`;
}

/** A role's JSON log line as a line for people; anything else as it is. */
export function logText(role: string, line: string): string {
  const entry = parsed(line);
  if (entry === undefined) return `${role.padEnd(9)} ${line}`;
  if (isJournalKind(entry["kind"]))
    return `${role.padEnd(9)} ${decisionText({ at: String(entry["time"]), ...entry } as unknown as JournalEntry)}`;
  const { level, time, msg, ...rest } = entry;
  for (const known of ["service", "site", "instance"]) delete rest[known];
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const mark = level === "info" ? "" : `${String(level).toUpperCase()} `;
  return `${role.padEnd(9)} ${String(time).slice(11, 23)} ${mark}${String(msg)} ${fields.join(" ")}`.trimEnd();
}

function parsed(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // not ours: shown as it is
  }
}
