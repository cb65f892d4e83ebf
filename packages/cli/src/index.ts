export { routerConfig } from "./command/router-config.ts";
export { LOOPBACK } from "./loopback/site.ts";
