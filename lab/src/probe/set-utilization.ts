// Runs inside a host: `node set-utilization.ts PORT VALUE`. Tells the service of gpu.ts how busy it is from now on.
const [port = "", value = ""] = process.argv.slice(2);
const response = await fetch(`http://127.0.0.1:${port}/utilization`, { method: "PUT", body: value });
if (!response.ok) throw new Error(`the service said ${response.status}`);
