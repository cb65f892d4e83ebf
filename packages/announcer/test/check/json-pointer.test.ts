import { expect, test } from "vitest";
import { formatPointer, parsePointer, valueAt } from "../../src/check/json-pointer.ts";

// The document and the pointers of RFC 6901 section 5.
const DOCUMENT = {
  foo: ["bar", "baz"],
  "": 0,
  "a/b": 1,
  "c%d": 2,
  "e^f": 3,
  "g|h": 4,
  "i\\j": 5,
  'k"l': 6,
  " ": 7,
  "m~n": 8,
};

test.each<[string, unknown]>([
  ["", DOCUMENT],
  ["/foo", ["bar", "baz"]],
  ["/foo/0", "bar"],
  ["/", 0],
  ["/a~1b", 1],
  ["/c%d", 2],
  ["/e^f", 3],
  ["/g|h", 4],
  ["/i\\j", 5],
  ['/k"l', 6],
  ["/ ", 7],
  ["/m~0n", 8],
])("%s names what RFC 6901 says", (text, value) => {
  const pointer = parsePointer(text);
  expect(pointer).toBeDefined();
  expect(valueAt(DOCUMENT, pointer ?? [])).toEqual(value);
  expect(formatPointer(pointer ?? [])).toBe(text);
});

test.each(["foo", "/a~2b", "/a~", `/${"a/".repeat(40)}`])("%s is no pointer", (text) => {
  expect(parsePointer(text)).toBeUndefined();
});

test.each(["/foo/2", "/foo/01", "/foo/-", "/foo/length", "/toString", "/__proto__", "/foo/0/0", "/a~1b/x"])(
  "%s names nothing",
  (text) => {
    expect(valueAt(DOCUMENT, parsePointer(text) ?? [])).toBeUndefined();
  },
);
