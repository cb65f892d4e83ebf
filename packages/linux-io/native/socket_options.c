#include "socket_options.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/*
 * The kernel begins to stamp datagrams in deferred work: measured, the first one after the option was switched on got
 * the time at which it was read instead, 5 ms late. This long a socket that wants stamps is not used.
 */
static const struct timespec STAMPING_BEGINS = {.tv_nsec = 20 * 1000 * 1000};

static void wait_for_stamping(void) {
  struct timespec left = STAMPING_BEGINS;
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

bool set_int(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* Beyond net.core.rmem_max where this process may (CAP_NET_ADMIN); else what the kernel grants, which is reported. */
static void set_receive_buffer(int fd, int bytes) {
  if (bytes > 0 && !set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

int granted_receive_buffer(int fd) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length);
  return bytes / 2;
}

static bool set_for_v4(int fd, const struct datagram_options *options) {
  return (options->hop_limit == 0 || set_int(fd, IPPROTO_IP, IP_TTL, options->hop_limit)) &&
         (options->traffic_class < 0 || set_int(fd, IPPROTO_IP, IP_TOS, options->traffic_class)) &&
         (!options->free_bind || set_int(fd, IPPROTO_IP, IP_FREEBIND, 1)) &&
         (!options->receive_local || set_int(fd, IPPROTO_IP, IP_PKTINFO, 1)) &&
         (!options->receive_hop_limit || set_int(fd, IPPROTO_IP, IP_RECVTTL, 1));
}

static bool set_for_v6(int fd, const struct datagram_options *options) {
  return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
         (options->hop_limit == 0 || set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, options->hop_limit)) &&
         (options->traffic_class < 0 || set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, options->traffic_class)) &&
         (!options->free_bind || set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)) &&
         (!options->receive_local || set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) &&
         (!options->receive_hop_limit || set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
}

static bool configure(int fd, const struct datagram_options *options) {
  set_receive_buffer(fd, options->receive_buffer);
  if (options->reuse_port && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return false;
  if (options->receive_time && !set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)) return false;
  return options->local.any.sa_family == AF_INET ? set_for_v4(fd, options) : set_for_v6(fd, options);
}

static int failed(int fd, const char **call, const char *which) {
  const int number = errno;
  if (fd >= 0) close(fd);
  errno = number;
  *call = which;
  return -1;
}

int datagram_socket(const struct datagram_options *options, const char **call) {
  const int fd = socket(options->local.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(fd, call, "socket");
  if (!configure(fd, options)) return failed(fd, call, "setsockopt");
  if (bind(fd, &options->local.any, options->local_length) != 0) return failed(fd, call, "bind");
  if (options->peer.any.sa_family != AF_UNSPEC && connect(fd, &options->peer.any, options->peer_length) != 0)
    return failed(fd, call, "connect");
  if (options->receive_time) wait_for_stamping();
  return fd;
}
