/*
 * A TCP connection with options that must stand before it opens: MD5 signature (RFC 2385), hop limits (GTSM, RFC 5082),
 * user timeout (RFC 5482), source address, traffic class. Gives JavaScript the connected descriptor.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "arguments.h"
#include "endpoint.h"
#include "exports.h"
#include "socket_options.h"

struct attempt {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref self;
  napi_ref done;
  uv_poll_t poll;
  int fd;
  bool open, ending, finalized;
};

struct tcp_options {
  union address peer, local;
  socklen_t peer_length, local_length;
  struct view password;
  int32_t hop_limit, least_hop_limit, traffic_class, user_timeout;
};

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct attempt *attempt = data;
  attempt->finalized = true;
  if (!attempt->open) free(attempt);
}

static void on_closed(uv_handle_t *handle) {
  struct attempt *attempt = handle->data;
  attempt->open = false;
  if (!attempt->ending) {
    napi_delete_reference(attempt->env, attempt->done);
    napi_async_destroy(attempt->env, attempt->context);
    napi_delete_reference(attempt->env, attempt->self);
  }
  napi_remove_async_cleanup_hook(attempt->cleanup);
  if (attempt->finalized) free(attempt);
}

/* Ends the attempt; the descriptor is closed unless it was handed over. */
static void end(struct attempt *attempt, bool keep) {
  if (attempt->fd < 0 && !uv_is_active((uv_handle_t *)&attempt->poll)) return;
  uv_poll_stop(&attempt->poll);
  if (!uv_is_closing((uv_handle_t *)&attempt->poll)) uv_close((uv_handle_t *)&attempt->poll, on_closed);
  if (!keep && attempt->fd >= 0) close(attempt->fd);
  attempt->fd = -1;
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct attempt *attempt = data;
  attempt->ending = true;
  end(attempt, false);
}

/* done(error, descriptor) */
static void report(struct attempt *attempt, int number, int fd) {
  napi_handle_scope scope;
  napi_value function, receiver, arguments[2];
  napi_open_handle_scope(attempt->env, &scope);
  if (napi_get_reference_value(attempt->env, attempt->done, &function) == napi_ok &&
      napi_get_global(attempt->env, &receiver) == napi_ok) {
    napi_get_null(attempt->env, &arguments[0]);
    if (number != 0) arguments[0] = errno_error(attempt->env, number, "connect");
    arguments[1] = int_value(attempt->env, fd);
    napi_make_callback(attempt->env, attempt->context, receiver, function, 2, arguments, NULL);
  }
  napi_close_handle_scope(attempt->env, scope);
}

static void on_writable(uv_poll_t *poll, int status, int events) {
  struct attempt *attempt = poll->data;
  int number = 0;
  socklen_t length = sizeof number;
  const int fd = attempt->fd;
  (void)status; /* an error of the socket is in SO_ERROR */
  (void)events;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) != 0) number = errno;
  end(attempt, number == 0);
  report(attempt, number, number == 0 ? fd : -1);
}

static bool set_password(int fd, const struct tcp_options *options) {
  struct tcp_md5sig signature = {0};
  if (options->password.length == 0) return true;
  if (options->password.length > TCP_MD5SIG_MAXKEYLEN) {
    errno = EINVAL;
    return false;
  }
  memcpy(&signature.tcpm_addr, &options->peer, options->peer_length);
  signature.tcpm_keylen = (uint16_t)options->password.length;
  memcpy(signature.tcpm_key, options->password.data, options->password.length);
  return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature) == 0;
}

static bool set_hops_and_class(int fd, const struct tcp_options *options) {
  const bool v4 = options->peer.any.sa_family == AF_INET;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  return (options->hop_limit == 0 || set_int(fd, level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, options->hop_limit)) &&
         (options->least_hop_limit == 0 || set_int(fd, level, v4 ? IP_MINTTL : IPV6_MINHOPCOUNT, options->least_hop_limit)) &&
         (options->traffic_class < 0 || set_int(fd, level, v4 ? IP_TOS : IPV6_TCLASS, options->traffic_class));
}

static int begin(const struct tcp_options *options, const char **failing) {
  const int fd = socket(options->peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  *failing = "socket";
  if (fd < 0) return -1;
  *failing = "setsockopt";
  if (set_password(fd, options) && set_hops_and_class(fd, options) &&
      (options->user_timeout == 0 || set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout))) {
    *failing = "bind";
    if (options->local_length == 0 || bind(fd, &options->local.any, options->local_length) == 0) {
      *failing = "connect";
      if (connect(fd, &options->peer.any, options->peer_length) == 0 || errno == EINPROGRESS) return fd;
    }
  }
  const int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static bool read_options(struct arguments *call, napi_value object, struct tcp_options *options) {
  const struct view peer = property_view(call, object, "peer", napi_uint8_array);
  const struct view local = property_view(call, object, "local", napi_uint8_array);
  options->password = property_view(call, object, "md5Password", napi_uint8_array);
  options->hop_limit = property_int(call, object, "hopLimit");
  options->least_hop_limit = property_int(call, object, "leastHopLimit");
  options->traffic_class = property_int(call, object, "trafficClass");
  options->user_timeout = property_int(call, object, "userTimeout");
  if (!call->ok || peer.length < ENDPOINT_BYTES || local.length < ENDPOINT_BYTES ||
      !address_from_record(peer.data, AF_UNSPEC, &options->peer, &options->peer_length))
    return false;
  return ((uint8_t *)local.data)[0] == 0 ||
         address_from_record(local.data, options->peer.any.sa_family, &options->local, &options->local_length);
}

/* tcpConnect(options, done): begins to connect; throws when it cannot begin, else done(error | null, descriptor). */
napi_value tcp_connect(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct tcp_options options = {0};
  const char *failing;
  napi_value external, name;
  uv_loop_t *loop;
  if (call.count < 2 || !read_options(&call, call.values[0], &options)) return throw_misuse(env, "tcpConnect(options, done)");
  struct attempt *attempt = calloc(1, sizeof *attempt);
  if (attempt == NULL) return throw_errno(env, ENOMEM, "socket");
  attempt->env = env;
  attempt->fd = begin(&options, &failing);
  if (attempt->fd < 0) {
    const int number = errno;
    free(attempt);
    return throw_errno(env, number, failing);
  }
  napi_create_string_utf8(env, "stitch.connect", NAPI_AUTO_LENGTH, &name);
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_async_init(env, NULL, name, &attempt->context) != napi_ok ||
      napi_create_external(env, attempt, finalize, NULL, &external) != napi_ok) {
    close(attempt->fd);
    free(attempt);
    return throw_misuse(env, "this environment has no event loop");
  }
  napi_create_reference(env, external, 1, &attempt->self);
  napi_create_reference(env, call.values[1], 1, &attempt->done);
  uv_poll_init(loop, &attempt->poll, attempt->fd);
  attempt->poll.data = attempt;
  attempt->open = true;
  uv_poll_start(&attempt->poll, UV_WRITABLE, on_writable);
  napi_add_async_cleanup_hook(env, on_environment_end, attempt, &attempt->cleanup);
  return external;
}

/* tcpClose(attempt): gives up an attempt that is still under way; done is not called. */
napi_value tcp_close(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct attempt *attempt = argument_external(&call, 0);
  if (!call.ok) return throw_misuse(env, "tcpClose(attempt)");
  if (attempt->open && attempt->fd >= 0) end(attempt, false);
  return NULL;
}
