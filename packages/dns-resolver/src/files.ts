import type { SiteDocument } from "@stitch/config";
import { randomSeed } from "./random-seed.ts";
import { readServed } from "./served.ts";
import { atOnce } from "./sliced.ts";

/** Reads every file that the section names, as a start does. Throws ConfigError for the first that cannot be used. */
export function checkFiles(document: SiteDocument): void {
  atOnce(readServed(document, randomSeed()));
}
