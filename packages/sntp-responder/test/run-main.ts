import { SiteDocument } from "@stitch/config";
import { main } from "../src/main.ts";

// The responder as a process of its own, for tests that need its signals and exit codes: argument one is the site file.
process.exit(await main(SiteDocument.load(process.argv[2] ?? "")));
