export { LOOPBACK } from "./loopback/site.ts";
