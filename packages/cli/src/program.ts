import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The command's file: what Node runs as `stitch`. */
export const STITCH: string = fileURLToPath(new URL("../bin/stitch.js", import.meta.url));

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
export const VERSION: string = version;
