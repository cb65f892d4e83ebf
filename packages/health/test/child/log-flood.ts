/** Logs more than any pipe holds while nobody reads it, and tells over the IPC channel that it still runs. */
import { createLogger } from "../../src/log.ts";

const log = createLogger({ service: "flood", site: "nyc", instance: "nyc-1" });
const text = "x".repeat(1_000);
for (let i = 0; i < 5_000; i += 1) log.info({ i }, text);
let beats = 0;
setInterval(() => process.send?.((beats += 1)), 10);
