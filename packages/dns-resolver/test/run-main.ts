import { SiteDocument } from "@stitch/config";
import { main } from "../src/main.ts";

// The resolver as a process of its own: argument one is the site file.
process.exitCode = await main(SiteDocument.load(process.argv[2] ?? ""));
