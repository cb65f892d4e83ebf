import type { LogRecord } from "@stitch/syslog-collector/store";
import { expect, test } from "vitest";
import { jsonLine } from "../src/command/logs.ts";

test("a record printed as JSON carries nothing that a terminal acts on, and loses nothing", () => {
  const message = "\u001b[2J \u009b2J \u202e txt.exe \u2066 \u007f é 漢";
  const record: LogRecord = {
    seq: 1,
    rx: "2026-01-01T00:00:00Z",
    from: "192.0.2.1:514",
    to: "192.0.2.2:514",
    layout: "unparsed",
    raw: message,
    message,
  };
  const line = jsonLine(record);
  const acted = [...line].filter((character) => {
    const code = character.codePointAt(0) ?? 0;
    return (
      code < 0x20 ||
      (code >= 0x7f && code <= 0x9f) ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069)
    );
  });
  expect(acted).toEqual([]);
  expect(line).toContain("é 漢");
  expect(JSON.parse(line)).toEqual(record);
});
