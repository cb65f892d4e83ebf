// Runs inside a host: `node gpu.ts VIP PORT SITE`. An HTTP service that has a processor to share out: clients ask it at the VIP, its announcer asks
// at 127.0.0.1 how busy it is, and `PUT /utilization` there says how busy another job makes it.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { WARM } from "./record.ts";

const [vip = "", port = "", site = ""] = process.argv.slice(2);
let utilization = 0;

const open = createServer((_request, response) => void response.end(site));
const own = createServer((request, response) => {
  if (request.method === "PUT") return void setUtilization(request, response);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ status: "ok", gpu: { utilization } }));
});

open.listen(Number(port), vip, () => own.listen(Number(port), "127.0.0.1", () => process.stdout.write(`${WARM}\n`)));
process.stdin.on("end", () => process.exit()).resume();

async function setUtilization(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  utilization = Number(text);
  response.end();
}
