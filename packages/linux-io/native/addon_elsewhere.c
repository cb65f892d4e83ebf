/* Not Linux: an addon without functions, by which the TypeScript face knows that it must use node:dgram. */
#include <node_api.h>

NAPI_MODULE_INIT() {
  (void)env;
  return exports;
}
