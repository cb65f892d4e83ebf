/* What the kernel knows of a TCP connection. Its own header here: that of the C library lacks the later fields. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "arguments.h"
#include "exports.h"

static void put(napi_env env, napi_value object, const char *name, int64_t value) {
  napi_set_named_property(env, object, name, int_value(env, value));
}

/* tcpState(descriptor): TCP_INFO, as far as an owner of a session can use it; undefined when it is no TCP socket. */
napi_value tcp_state(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const int32_t fd = argument_int(&call, 0);
  struct tcp_info state = {0};
  socklen_t length = sizeof state;
  napi_value result = NULL;
  if (!call.ok) return throw_misuse(env, "tcpState(descriptor)");
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) != 0) return undefined_value(env);
  napi_create_object(env, &result);
  put(env, result, "state", state.tcpi_state);
  put(env, result, "unacknowledged", state.tcpi_unacked);
  put(env, result, "retransmits", state.tcpi_retransmits);
  put(env, result, "roundTripMicros", state.tcpi_rtt);
  put(env, result, "bytesAcknowledged", (int64_t)state.tcpi_bytes_acked);
  put(env, result, "notSentBytes", state.tcpi_notsent_bytes);
  return result;
}
