import { BroadcastChannel } from "node:worker_threads";
import { SiteDocument } from "@stitch/config";
import { main } from "../src/main.ts";

// The resolver as a process of its own whose workers can be broken: argument one is the site file, messages are orders.
const orders = new BroadcastChannel("orders");
orders.unref();
process.on("message", (order) => orders.postMessage(order));
process.channel?.unref();
const module = new URL("./breakable-worker.ts", import.meta.url);
process.exitCode = await main(SiteDocument.load(process.argv[2] ?? ""), module);
