/** Where an unescaped slash begins a regular expression: after these, and not after a value. */
const BEFORE_PATTERN = /(^|[([{,;=:!&|?+\-*%<>~^]|=>|\b(return|typeof|case|in|of|await|yield|void|throw|new|else|do))$/;

/** TypeScript without comments and without the insides of strings, templates and regular expressions. */
export function codeOf(text: string): string {
  return new Scanner(text).scan();
}

class Scanner {
  readonly #text: string;
  #at = 0;
  #code = "";
  /** Open braces within each template expression that is being read, the innermost last. */
  readonly #expressions: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  scan(): string {
    while (this.#at < this.#text.length) this.#next();
    return this.#code;
  }

  #next(): void {
    const rest = this.#text.slice(this.#at, this.#at + 2);
    const char = rest.charAt(0);
    if (rest === "//") this.#skipTo("\n", 0);
    else if (rest === "/*") this.#skipTo("*/", 2);
    else if (char === '"' || char === "'") this.#quoted(char);
    else if (char === "`") this.#template();
    else if (char === "/" && BEFORE_PATTERN.test(this.#code.trimEnd().slice(-12))) this.#pattern();
    else this.#plain(char);
  }

  #plain(char: string): void {
    const depth = this.#expressions.at(-1);
    if (char === "}" && depth === 0) {
      this.#expressions.pop();
      this.#template();
      return;
    }
    if (depth !== undefined && char === "{") this.#expressions[this.#expressions.length - 1] = depth + 1;
    if (depth !== undefined && char === "}") this.#expressions[this.#expressions.length - 1] = depth - 1;
    this.#code += char;
    this.#at += 1;
  }

  #skipTo(end: string, past: number): void {
    const found = this.#text.indexOf(end, this.#at + 2);
    this.#at = found < 0 ? this.#text.length : found + past;
  }

  #quoted(quote: string): void {
    this.#at += 1;
    while (this.#at < this.#text.length && this.#text[this.#at] !== quote)
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    this.#at += 1;
    this.#code += '""';
  }

  /** From the opening backtick, or from the brace that ends an expression, to the next expression or the end. */
  #template(): void {
    this.#at += 1;
    for (; this.#at < this.#text.length; this.#at += 1) {
      if (this.#text[this.#at] === "\\") this.#at += 1;
      else if (this.#text[this.#at] === "`") break;
      else if (this.#text.startsWith("${", this.#at)) {
        this.#expressions.push(0);
        this.#code += ' "", ';
        this.#at += 2;
        return;
      }
    }
    this.#at += 1;
    this.#code += '""';
  }

  #pattern(): void {
    let inClass = false;
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text[this.#at];
      if (char === "\\") this.#at += 1;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) break;
    }
    this.#at += 1;
    this.#code += '""';
  }
}
