/** No line of a hosts file or a list is near it; one of megabytes would be taken apart in one go, and the lease would be lost meanwhile. */
export const LONGEST_LINE = 4_096;

/** Lines of a text with their numbers from 1, one at a time: splitting a file of a million lines takes a thread's breath away. */
export function* linesOf(text: string): Generator<readonly [number, string]> {
  let from = 0;
  for (let number = 1; from <= text.length; number += 1) {
    const end = text.indexOf("\n", from);
    yield [number, text.slice(from, end < 0 ? undefined : end)];
    if (end < 0) return;
    from = end + 1;
  }
}
