/**
 * Scenarios as text, in the form of unbound's testdata (.rpl): who answers what while which steps are played, and the
 * steps with what is to be seen. The configuration before CONFIG_END is a site.yaml.
 *
 *   RANGE_BEGIN 0 20 ... ADDRESS 192.0.2.53 ... ENTRY_BEGIN ... ENTRY_END ... RANGE_END
 *   STEP 10 QUERY | CHECK_ANSWER | CHECK_OUT_QUERY | REPLY    each with an entry
 *   STEP 10 TIME_PASSES ELAPSE 1.8 | NOTHING | ASKED 1        (ASKED is ours: questions to upstreams so far)
 *
 * An entry: MATCH opcode qtype qname subdomain UDP TCP DO EDNS NOEDNS, for answers all, ttl, ede=N; ADJUST copy_id; REPLY
 * flags and rcode, EDNS or DO; SECTION QUESTION, ANSWER, AUTHORITY, ADDITIONAL with records.
 */
export const SECTIONS = ["QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL"] as const;
export type Section = (typeof SECTIONS)[number];

export interface Entry {
  readonly line: number;
  readonly match: ReadonlySet<string>;
  readonly adjust: ReadonlySet<string>;
  readonly reply: ReadonlySet<string>;
  readonly sections: Readonly<Record<Section, readonly string[]>>;
}

/** From step `first` to step `last` the server at `address` answers with the first entry that matches. */
export interface Range {
  readonly first: number;
  readonly last: number;
  readonly address: string;
  readonly entries: readonly Entry[];
}

export interface Step {
  readonly line: number;
  readonly number: number;
  readonly kind: string;
  readonly words: readonly string[];
  readonly entry: Entry | undefined;
}

export interface Scenario {
  readonly title: string;
  readonly config: string;
  readonly ranges: readonly Range[];
  readonly steps: readonly Step[];
}

const WITH_ENTRY = new Set(["QUERY", "CHECK_ANSWER", "CHECK_OUT_QUERY", "REPLY"]);

interface Line {
  readonly number: number;
  readonly text: string;
  readonly words: readonly string[];
}

/** Throws with the line of what cannot be read. */
export function parseRpl(text: string): Scenario {
  const [config = "", script] = text.split(/^CONFIG_END$/m);
  if (script === undefined) throw new Error("there is no CONFIG_END");
  const reader = new Reader(config, script);
  return { ...reader.scenario(), config: config.replaceAll(/^;/gm, "#") };
}

class Reader {
  readonly #lines: Line[];
  #at = 0;

  constructor(config: string, script: string) {
    const before = config.split("\n").length;
    this.#lines = script
      .split("\n")
      .map((raw, i) => ({ number: before + i, text: raw.replace(/(^|\s);.*$/, "").trim() }))
      .filter((line) => line.text !== "")
      .map((line) => ({ ...line, words: line.text.split(/\s+/) }));
  }

  scenario(): Omit<Scenario, "config"> {
    const title = this.#expect("SCENARIO_BEGIN").words.slice(1).join(" ");
    const ranges: Range[] = [];
    const steps: Step[] = [];
    for (let line = this.#next(); line.words[0] !== "SCENARIO_END"; line = this.#next()) {
      if (line.words[0] === "RANGE_BEGIN") ranges.push(this.#range(line));
      else if (line.words[0] === "STEP") steps.push(this.#step(line));
      else throw wrong(line);
    }
    return { title, ranges, steps };
  }

  #range({ words }: Line): Range {
    const address = this.#expect("ADDRESS").words[1] ?? "";
    const entries: Entry[] = [];
    for (let line = this.#next(); line.words[0] !== "RANGE_END"; line = this.#next()) entries.push(this.#entry(line));
    return { first: Number(words[1]), last: Number(words[2]), address, entries };
  }

  #step(line: Line): Step {
    const [, number, kind = "", ...words] = line.words;
    const entry = WITH_ENTRY.has(kind) ? this.#entry(this.#next()) : undefined;
    return { line: line.number, number: Number(number), kind, words, entry };
  }

  #entry(begin: Line): Entry {
    if (begin.words[0] !== "ENTRY_BEGIN") throw wrong(begin);
    const sets = { MATCH: new Set<string>(), ADJUST: new Set<string>(), REPLY: new Set<string>() };
    const sections: Record<Section, string[]> = { QUESTION: [], ANSWER: [], AUTHORITY: [], ADDITIONAL: [] };
    let section: Section | undefined;
    for (let line = this.#next(); line.words[0] !== "ENTRY_END"; line = this.#next()) {
      const [first = "", ...rest] = line.words;
      if (first === "MATCH" || first === "ADJUST" || first === "REPLY") for (const word of rest) sets[first].add(word);
      else if (first === "SECTION") section = SECTIONS.find((name) => name === rest[0]);
      else if (section === undefined) throw wrong(line);
      else sections[section].push(line.text);
    }
    return { line: begin.number, match: sets.MATCH, adjust: sets.ADJUST, reply: sets.REPLY, sections };
  }

  #expect(word: string): Line {
    const line = this.#next();
    if (line.words[0] !== word) throw wrong(line);
    return line;
  }

  #next(): Line {
    const line = this.#lines[this.#at];
    this.#at += 1;
    if (line === undefined) throw new Error("the scenario ends too early");
    return line;
  }
}

function wrong({ number, text }: Line): Error {
  return new Error(`line ${number}: "${text}" cannot stand here`);
}
