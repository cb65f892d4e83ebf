import fc from "fast-check";
import { expect, test } from "vitest";
import { sumOf } from "../../src/check/prometheus.ts";
import { decodeAnswer, encodeName, encodeQuery } from "../../src/check/wire/dns.ts";
import { decodeReply, encodeRequest } from "../../src/check/wire/ntp.ts";

test("a DNS query, octet by octet", () => {
  const query = encodeQuery(0x1234, encodeName("a.Bc") as Uint8Array, "AAAA");
  expect(Buffer.from(query).toString("hex")).toBe("123401000001000000000000016102426300001c0001");
  expect(Buffer.from(encodeName(".") as Uint8Array).toString("hex")).toBe("00");
});

test.each(["", "a..b", ".a", "a b.c", "ä.example", `${"x".repeat(64)}.c`, `${"x.".repeat(128)}c`])(
  "%j is no name",
  (name) => expect(encodeName(name)).toBeUndefined(),
);

test("an NTP request is a client's, version 4, and shows nothing but the cookie", () => {
  const request = Buffer.from(encodeRequest(Buffer.from("0102030405060708", "hex")));
  expect(request.toString("hex")).toBe(`23${"00".repeat(39)}0102030405060708`);
});

test("hostile bytes are never an answer, and never throw", () => {
  const query = encodeQuery(1, Uint8Array.of(0), "NS");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      decodeAnswer(bytes, query);
      decodeReply(bytes, Buffer.alloc(8, 0xff));
    }),
  );
  // Right as far as it goes, and cut off anywhere: only the whole is an answer.
  const answer = Buffer.from(query);
  answer[2] = 0x81;
  for (let length = 0; length < answer.length; length += 1)
    expect(decodeAnswer(answer.subarray(0, length), query)).toBeUndefined();
  expect(decodeAnswer(answer, query)).toEqual({ rcode: 0, rcodeName: "NOERROR", answers: 0, truncated: false });
});

test("a metric is summed over its labels, and not over its namesakes", () => {
  const page = [
    "# TYPE x_total counter",
    'x_total{reason="a"} 2',
    'x_total{reason="self-check"} 100',
    "x_total 1.5",
    "x_total_more 50",
    'x_total{reason="b"} NaN',
    "x_total",
  ].join("\n");
  expect(sumOf(page, "x_total", 'reason="self-check"')).toBe(3.5);
  expect(sumOf(page, "y_total")).toBeUndefined();
});
