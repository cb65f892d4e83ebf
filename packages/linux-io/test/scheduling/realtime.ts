import { execFileSync } from "node:child_process";
import { setRealtime } from "../../src/index.ts";
import { fieldOf, ownField } from "./own-stat.ts";

const POLICY = 41;

const before = ownField(POLICY);
const refused = setRealtime(true) ?? null;
const meanwhile = ownField(POLICY);
const child = fieldOf(execFileSync("cat", ["/proc/self/stat"], { encoding: "utf8" }), POLICY);
setRealtime(false);
process.stdout.write(JSON.stringify({ refused, policies: [before, meanwhile, child, ownField(POLICY)] }));
