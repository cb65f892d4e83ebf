import { fileURLToPath } from "node:url";

/** The command's file: what Node runs as `stitch`. */
export const STITCH: string = fileURLToPath(new URL("../bin/stitch.js", import.meta.url));
