import { describe, expect, test } from "vitest";
import { nameservers } from "../src/loopback/forward.ts";
import { logText } from "../src/supervisor/console.ts";
import { table } from "../src/table.ts";

describe("lines for people", () => {
  test("a log line keeps its time, its text and its own fields", () => {
    const line =
      '{"level":"warn","time":"2026-11-23T02:05:04.635Z","service":"dns","site":"nyc","instance":"nyc-1","port":53,"msg":"hm"}';
    expect(logText("dns", line)).toBe("dns       02:05:04.635 WARN hm port=53");
  });

  test("a decision becomes a sentence", () => {
    const line = JSON.stringify({
      level: "info",
      time: "2026-11-23T02:05:04.635Z",
      kind: "decision",
      vip: "127.10.10.53/32",
      service: "dns",
      from: "UP",
      to: "DOWN",
      wish: { from: "normal", to: "none" },
      reason: "lease-closed",
      detail: "the service closed the stream",
      msg: "decision",
    });
    expect(logText("announcer", line)).toBe(
      "announcer 02:05:04.635 dns: UP -> DOWN (lease-closed: the service closed the stream), route withdrawn",
    );
  });

  test.each(["plain text", "{broken", ""])("what is not a log line is shown as it is: %j", (line) => {
    expect(logText("ntp", line)).toBe(`ntp       ${line}`);
  });

  test("a table pads to the widest cell and leaves no trailing blanks", () => {
    expect(
      table([
        ["A", "B"],
        ["long", ""],
        ["x", "y"],
      ]),
    ).toBe("A     B\nlong\nx     y");
  });
});

describe("--forward system", () => {
  test("takes addresses of nameserver lines, and nothing else", () => {
    const text =
      "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver name\n";
    expect(nameservers(text)).toEqual(["192.0.2.1", "2001:db8::1"]);
  });
});
