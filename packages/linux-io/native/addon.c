/*
 * Batched datagrams, TCP options and kernel clocks for linux-io. Context-aware: no state outside of what `open` and
 * `connect` return, so every worker thread may load it and have several sockets. No protocol knowledge lives here.
 */
#include "exports.h"

static void export_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok)
    napi_set_named_property(env, exports, name, value);
}

NAPI_MODULE_INIT() {
  export_function(env, exports, "udpOpen", udp_open);
  export_function(env, exports, "udpReply", udp_reply_now);
  export_function(env, exports, "udpSend", udp_send);
  export_function(env, exports, "udpSendMany", udp_send_many);
  export_function(env, exports, "udpDrops", udp_drops);
  export_function(env, exports, "udpClose", udp_close);
  export_function(env, exports, "setCreate", set_create);
  export_function(env, exports, "setOpen", set_open);
  export_function(env, exports, "setSend", set_send);
  export_function(env, exports, "setCloseSocket", set_close_socket);
  export_function(env, exports, "setClose", set_close);
  export_function(env, exports, "tcpConnect", tcp_connect);
  export_function(env, exports, "tcpTake", tcp_take);
  export_function(env, exports, "tcpState", tcp_state);
  export_function(env, exports, "tcpClose", tcp_close);
  export_function(env, exports, "kernelClock", kernel_clock);
  export_function(env, exports, "threadRealtime", thread_realtime);
  export_function(env, exports, "threadSlice", thread_slice);
  export_function(env, exports, "hugePages", huge_pages);
  return exports;
}
