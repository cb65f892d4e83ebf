/** Lines read of one page; a page has a few hundred. */
const MOST_LINES = 10_000;

/** The label of what a service sends to itself ten times a second: no client's, and no proof of anybody's message. */
export const SELF_CHECK = 'reason="self-check"';

/**
 * The sum of a metric's samples on a page in Prometheus' text format, those with a label in `without` left out;
 * undefined when the page has none.
 */
export function sumOf(page: string, metric: string, without: string = ""): number | undefined {
  let sum: number | undefined;
  for (const line of page.split("\n", MOST_LINES)) {
    if (!line.startsWith(metric)) continue;
    const [, labels = "", text] = /^(\{.*\})?\s+(\S+)/.exec(line.slice(metric.length)) ?? [];
    const value = Number(text);
    if (text === undefined || !Number.isFinite(value)) continue;
    if (without !== "" && labels.includes(without)) continue;
    sum = (sum ?? 0) + value;
  }
  return sum;
}
