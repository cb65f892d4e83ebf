/* The 24-byte endpoint record of src/endpoint.ts, and the kernel's socket addresses. */
#ifndef STITCH_ENDPOINT_H
#define STITCH_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_BYTES 24

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* False when the record is empty or of another family than `family` (AF_UNSPEC: either). */
bool address_from_record(const uint8_t *record, int family, union address *into, socklen_t *length);
void record_from_address(const union address *from, uint8_t *record);
void record_from_v4(struct in_addr address, uint16_t port, uint8_t *record);
void record_from_v6(const struct in6_addr *address, uint16_t port, uint32_t scope, uint8_t *record);

#endif
