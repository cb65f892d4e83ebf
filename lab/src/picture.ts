import type { DnsRecord } from "./probe/record.ts";

/** Eight heights and nothing at all. */
const BARS = " ▁▂▃▄▅▆▇█";

/** One character a value, as high as its share of `full`. */
export function bars(values: readonly number[], full: number): string {
  return values
    .map((value) => {
      const height = full > 0 ? Math.ceil((value / full) * (BARS.length - 1)) : 0;
      return BARS[Math.max(0, Math.min(BARS.length - 1, height))];
    })
    .join("");
}

/** Words under a line of `width` characters, each beginning at the character it is about; one line a word where they would touch. */
export function marks(words: readonly { readonly at: number; readonly word: string }[]): string[] {
  const lines: string[] = [];
  for (const { at, word } of words) {
    const text = `^ ${word}`;
    const line = lines.findIndex((taken) => taken.length < at);
    if (line >= 0) lines[line] = (lines[line] ?? "").padEnd(at) + text;
    else lines.push(" ".repeat(at) + text);
  }
  return lines;
}

/** Queries [from, to), one character each: the first letter of the site that answered, a dot where nobody did. */
export function strip({ site, sites }: DnsRecord, from: number, to: number): string {
  return site
    .slice(Math.max(0, from), to)
    .map((index) => sites[index]?.[0] ?? ".")
    .join("");
}

/** A record thinned out: each `count`th query, or the first of them that was lost, so that no loss goes unseen. */
function every(count: number, record: DnsRecord): DnsRecord {
  const groups = Math.ceil(record.site.length / count);
  const site = Array.from({ length: groups }, (_, group) => {
    const members = record.site.slice(group * count, (group + 1) * count);
    return members.includes(-1) ? -1 : (members[0] ?? -1);
  });
  return { ...record, site };
}

/** A strip for each client, thinned out, from the moment on in which all of them were asking. */
export function strips(records: ReadonlyMap<string, DnsRecord>, perCharacter: number): string[] {
  const width = Math.max(...[...records.keys()].map((client) => client.length));
  const common = Math.max(...[...records.values()].map(({ start, sent }) => Number(start) + (sent[0] ?? 0)));
  return [...records].map(([client, record]) => {
    const first = record.sent.findIndex((time) => Number(record.start) + time >= common);
    const thin = every(perCharacter, { ...record, site: record.site.slice(first) });
    return `${client.padEnd(width)} ${strip(thin, 0, thin.site.length)}`;
  });
}
