import { FACILITIES, senderAddress, SEVERITIES, type LogRecord } from "./record.ts";

/**
 * Characters that a stranger could use to rewrite what a terminal shows: controls (C0, DEL, C1, so no escape
 * sequences), line and paragraph separators, and the marks that turn the direction of text.
 */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;

/** One record as one line for people, safe to show: `2026-11-22 14:42:01.123 192.0.2.1 sw1 local7.notice app[1]: text`. */
export function formatRecord(record: LogRecord): string {
  const { rx, from, host, facility, severity } = record;
  const when = `${rx.slice(0, 10)} ${rx.slice(11, 23)}`;
  const sender = senderAddress(from);
  const level =
    severity === undefined ? "-" : `${FACILITIES[facility ?? 0] ?? "-"}.${SEVERITIES[severity] ?? String(severity)}`;
  const line = `${when} ${sender} ${host ?? "-"} ${level} ${origin(record)}${record.message}`;
  return escapeUnsafe(line);
}

function origin({ app, pid, msgid }: LogRecord): string {
  const process = app === undefined ? "" : pid === undefined ? app : `${app}[${pid}]`;
  const words = [process, msgid ?? ""].filter((word) => word !== "");
  return words.length === 0 ? "" : `${words.join(" ")}: `;
}

/** `\n`, `\x1b`, `\u202e` in place of what a terminal would act on. */
export function escapeUnsafe(text: string): string {
  return text.replaceAll(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    if (code === 0x0a) return "\\n";
    if (code === 0x09) return "\\t";
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
