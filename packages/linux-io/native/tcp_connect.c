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
#include "lifetime.h"
#include "socket_options.h"

struct attempt {
  struct lifetime life;
  uv_poll_t poll;
  int fd; /* -1: closed, or taken */
};

struct tcp_options {
  union address peer, local;
  socklen_t peer_length, local_length;
  struct view password;
  int32_t hop_limit, least_hop_limit, traffic_class, user_timeout;
};

static void release(void *owner) {
  free(owner);
}

static void close_descriptor(struct attempt *attempt) {
  if (attempt->fd >= 0) close(attempt->fd);
  attempt->fd = -1;
}

/* libuv lets go of the descriptor here, before anybody closes it or watches it in its own way. */
static void stop_watching(struct attempt *attempt) {
  if (!uv_is_closing((uv_handle_t *)&attempt->poll)) uv_poll_stop(&attempt->poll);
  lifetime_close(attempt, (uv_handle_t *)&attempt->poll);
}

static void shut(void *owner) {
  stop_watching(owner);
  close_descriptor(owner);
}

static void on_writable(uv_poll_t *poll, int status, int events) {
  struct attempt *attempt = poll->data;
  int number = 0;
  socklen_t length = sizeof number;
  (void)status; /* an error of the socket is in SO_ERROR */
  (void)events;
  if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &number, &length) != 0) number = errno;
  stop_watching(attempt);
  if (number != 0) close_descriptor(attempt);
  lifetime_call_errno(attempt, number, "connect");
  close_descriptor(attempt); /* not taken: the thread is being terminated, or `done` has failed */
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

/* 0, or an errno and the system call that failed. */
static int start(struct attempt *attempt, uv_loop_t *loop, const struct tcp_options *options, const char **failing) {
  attempt->fd = begin(options, failing);
  if (attempt->fd < 0) return errno;
  const int status = uv_poll_init(loop, &attempt->poll, attempt->fd);
  if (status == 0) {
    lifetime_add(attempt, (uv_handle_t *)&attempt->poll);
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_writable);
    return 0;
  }
  close_descriptor(attempt);
  *failing = "epoll_ctl";
  return -status;
}

/*
 * tcpConnect(options, done): begins to connect; throws when it cannot begin, else done(error | null). With null, `done`
 * calls tcpTake before it returns.
 */
napi_value tcp_connect(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct tcp_options options = {0};
  const char *failing = "socket";
  uv_loop_t *loop = NULL;
  struct attempt *attempt = calloc(1, sizeof *attempt);
  if (attempt == NULL) return throw_errno(env, ENOMEM, failing);
  attempt->fd = -1;
  const napi_value external = lifetime_begin(env, attempt, TCP_ATTEMPT, shut, release);
  if (external == NULL) return throw_errno(env, ENOMEM, failing);
  if (call.count < 2 || !read_options(&call, call.values[0], &options) || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      !lifetime_hold(attempt, "stitch.connect", call.values[0], call.values[1])) {
    lifetime_abandon(attempt);
    return throw_misuse(env, "tcpConnect(options, done)");
  }
  const int number = start(attempt, loop, &options, &failing);
  if (number == 0) return external;
  lifetime_abandon(attempt);
  return throw_errno(env, number, failing);
}

/* tcpTake(attempt): the connected descriptor, the caller's from here on; -1 when there is none. */
napi_value tcp_take(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct attempt *attempt = argument_owner(&call, 0, TCP_ATTEMPT);
  if (!call.ok) return throw_misuse(env, "tcpTake(attempt)");
  if (!uv_is_closing((uv_handle_t *)&attempt->poll)) return int_value(env, -1); /* still under way */
  const int fd = attempt->fd;
  attempt->fd = -1;
  return int_value(env, fd);
}

/* tcpClose(attempt): gives up an attempt that is still under way; done is not called. */
napi_value tcp_close(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct attempt *attempt = argument_owner(&call, 0, TCP_ATTEMPT);
  if (!call.ok) return throw_misuse(env, "tcpClose(attempt)");
  if (attempt->fd >= 0) shut(attempt);
  return NULL;
}
