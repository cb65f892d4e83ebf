import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { unreadable, type SiteDocument } from "@stitch/config";

const FROM_FILE = "file:";

/** Ends the reading of a setting with a sentence about it, which never quotes what is secret. */
export type Complain = (message: string) => never;

export function namesFile(setting: string): boolean {
  return setting.startsWith(FROM_FILE);
}

/** The path of the file that `file:PATH` names, relative to site.yaml; undefined where the setting names none. */
export function fileNamed(document: SiteDocument, setting: string): string | undefined {
  return namesFile(setting) ? pathBeside(document, setting.slice(FROM_FILE.length)) : undefined;
}

export function pathBeside(document: SiteDocument, path: string): string {
  return resolve(dirname(document.file), path);
}

export function textOf(path: string, complain: Complain): string {
  try {
    return readFileSync(path, "utf8");
  } catch (failure) {
    return complain(`${path}: ${unreadable(failure)}`);
  }
}
