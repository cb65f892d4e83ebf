/** A JSON pointer (RFC 6901) as the keys that it names, unescaped. */
export type JsonPointer = readonly string[];

/** More levels than any health document has. */
const DEEPEST = 32;

/** Reads `/gpu/utilization`; the empty text means the whole document. Undefined when it is none. */
export function parsePointer(text: string): JsonPointer | undefined {
  if (text === "") return [];
  const [first, ...tokens] = text.split("/");
  if (first !== "" || tokens.length > DEEPEST || tokens.some((token) => /~(?![01])/.test(token))) return undefined;
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function formatPointer(pointer: JsonPointer): string {
  return pointer.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** What the pointer names in a document; undefined when it names nothing there. Inherited names are nothing. */
export function valueAt(document: unknown, pointer: JsonPointer): unknown {
  let value = document;
  for (const token of pointer) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, token)) return undefined;
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(token)) return undefined; // "length" is no element
    value = (value as Readonly<Record<string, unknown>>)[token];
  }
  return value;
}
