/* Opening a datagram socket with its options. */
#ifndef STITCH_SOCKET_OPTIONS_H
#define STITCH_SOCKET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"

struct datagram_options {
  union address local;
  socklen_t local_length;
  union address peer; /* family AF_UNSPEC: not connected */
  socklen_t peer_length;
  int receive_buffer; /* bytes; 0: the system's */
  int hop_limit;      /* 0: the system's */
  int traffic_class;  /* -1: the system's */
  bool reuse_port;
  bool free_bind;
  bool receive_time;
  bool receive_hop_limit;
  bool receive_local;
};

/*
 * Returns the descriptor, or -1 with errno set and `*call` naming the system call that failed. Non-blocking, closed on
 * exec, IPv6 only for IPv6.
 */
int datagram_socket(const struct datagram_options *options, const char **call);
/* Receive buffer as granted, in the unit in which it is asked for: the kernel reports twice that. */
int granted_receive_buffer(int fd);
bool set_int(int fd, int level, int name, int value);

#endif
