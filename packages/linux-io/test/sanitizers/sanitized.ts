import { execFile, execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { join } from "node:path";

const PACKAGE = join(import.meta.dirname, "..", "..");
const LONGEST_MS = 240_000;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds the sanitized addon beside the normal one, unless it is up to date. */
export function buildSanitized(): void {
  execFileSync(process.execPath, [join(PACKAGE, "build-addon.js"), "--sanitize"]);
}

/** Whether the compiler here brings AddressSanitizer. */
export function hasSanitizer(): boolean {
  try {
    return runtime().includes("/");
  } catch {
    return false;
  }
}

/** The runtime that must be there before Node's own allocations; the bare name when the compiler has none. */
function runtime(): string {
  const path = execFileSync("cc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
  return path.includes("/") ? realpathSync(path) : path;
}

/** Runs Node with the sanitized addon; a finding of a sanitizer ends it with a code other than 0. */
export function runSanitized(args: readonly string[], { leaks }: { readonly leaks: boolean }): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST"));
  const env = {
    ...Object.fromEntries(inherited),
    NODE_OPTIONS: "--conditions=sanitized",
    LD_PRELOAD: runtime(),
    // The unwinder by frame pointers loses its way in Node, and the suppressions need names.
    ASAN_OPTIONS: `detect_leaks=${leaks ? 1 : 0}:fast_unwind_on_malloc=${leaks ? 0 : 1}:halt_on_error=1`,
    LSAN_OPTIONS: `suppressions=${join(import.meta.dirname, "leaks.supp")}:print_suppressions=0`,
    UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
  };
  return new Promise((resolve) => {
    const options = { env, cwd: join(PACKAGE, "..", ".."), timeout: LONGEST_MS, maxBuffer: 64 * 2 ** 20 };
    const child = execFile(process.execPath, args, options, (_failure, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
