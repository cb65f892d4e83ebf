import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setRealtime } from "../../src/index.ts";

/** The fields behind the name, which may have blanks in it; the first of them is number 3. */
function policyIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[41 - 3]);
}

function own(): number {
  return policyIn(readFileSync("/proc/thread-self/stat", "utf8"));
}

const before = own();
const refused = setRealtime(true) ?? null;
const meanwhile = own();
const child = policyIn(execFileSync("cat", ["/proc/self/stat"], { encoding: "utf8" }));
setRealtime(false);
process.stdout.write(JSON.stringify({ refused, policies: [before, meanwhile, child, own()] }));
