/* The receive slab that JavaScript owns, and the kernel's message headers that point into it. */
#ifndef STITCH_SLABS_H
#define STITCH_SLABS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "arguments.h"
#include "endpoint.h"

/* Flags of an arrival; the same numbers stand in src/datagrams.ts. */
#define ARRIVAL_TRUNCATED 1
/* Of a socket set: no datagram, but the error of an earlier send, its errno in `lengths`. */
#define ARRIVAL_ERROR 2

/* Room for what the kernel says beside a datagram: receive time, hop limit, local address. */
#define CONTROL_BYTES 128

/* One array per property of an arrival; slot i of each belongs to the same datagram. Owned by JavaScript. */
struct arrivals {
  uint32_t capacity;
  uint32_t slot_size;
  uint8_t *bytes;
  int32_t *lengths;
  uint8_t *flags;
  uint8_t *peers;
  uint8_t *locals;
  uint8_t *hop_limits;
  uint32_t *seconds;
  uint32_t *nanoseconds;
};

/* The kernel's side of it: allocated once. */
struct receiver {
  struct mmsghdr *messages;
  struct iovec *parts;
  union address *names;
  uint8_t *control;
};

/*
 * Reads the arrays out of a JavaScript object; false, with `call->ok` off, when they do not fit together or do not lie in
 * its `buffer`, which is given back for watching.
 */
bool arrivals_from(struct arguments *call, napi_value object, struct arrivals *into, napi_value *buffer);
bool receiver_allocate(struct receiver *receiver, const struct arrivals *arrivals);
void receiver_free(struct receiver *receiver);
/* Makes slots [from, to) ready for the kernel; it wrote lengths into them last time. */
void receiver_prepare(struct receiver *receiver, uint32_t from, uint32_t to);

/* What of a datagram's control messages is wanted. */
struct wanted {
  bool time;
  bool local;
};

/* Translates message i, just received from a socket bound to `port` (network order), into slot i. True when it was cut. */
bool arrival_translate(const struct receiver *receiver, const struct arrivals *arrivals, uint32_t i, struct wanted wanted, uint16_t port);

#endif
