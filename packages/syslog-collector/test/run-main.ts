import { SiteDocument } from "@stitch/config";
import { main } from "../src/main.ts";

/** Runs the collector of the site.yaml named on the command line, as `stitch run syslog` does. */
process.exitCode = await main(SiteDocument.load(process.argv[2] ?? ""));
