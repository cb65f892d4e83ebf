#include "endpoint.h"

#include <arpa/inet.h>
#include <string.h>

/*
 *   0       family: 4, 6, or 0 for "not known"
 *   1       0
 *   2..3    port, big endian
 *   4..19   address; IPv4 uses 4..7
 *   20..23  IPv6 scope id, big endian
 */
bool address_from_record(const uint8_t *record, int family, union address *into, socklen_t *length) {
  memset(into, 0, sizeof *into);
  if (record[0] == 4 && family != AF_INET6) {
    into->v4.sin_family = AF_INET;
    memcpy(&into->v4.sin_port, record + 2, 2);
    memcpy(&into->v4.sin_addr, record + 4, 4);
    *length = sizeof into->v4;
    return true;
  }
  if (record[0] == 6 && family != AF_INET) {
    uint32_t scope;
    memcpy(&scope, record + 20, 4);
    into->v6.sin6_family = AF_INET6;
    memcpy(&into->v6.sin6_port, record + 2, 2);
    memcpy(&into->v6.sin6_addr, record + 4, 16);
    into->v6.sin6_scope_id = ntohl(scope);
    *length = sizeof into->v6;
    return true;
  }
  return false;
}

void record_from_v4(struct in_addr address, uint16_t port, uint8_t *record) {
  memset(record, 0, ENDPOINT_BYTES);
  record[0] = 4;
  memcpy(record + 2, &port, 2);
  memcpy(record + 4, &address, 4);
}

void record_from_v6(const struct in6_addr *address, uint16_t port, uint32_t scope, uint8_t *record) {
  const uint32_t ordered = htonl(scope);
  record[0] = 6;
  record[1] = 0;
  memcpy(record + 2, &port, 2);
  memcpy(record + 4, address, 16);
  memcpy(record + 20, &ordered, 4);
}

void record_from_address(const union address *from, uint8_t *record) {
  if (from->any.sa_family == AF_INET) record_from_v4(from->v4.sin_addr, from->v4.sin_port, record);
  else if (from->any.sa_family == AF_INET6)
    record_from_v6(&from->v6.sin6_addr, from->v6.sin6_port, from->v6.sin6_scope_id, record);
  else memset(record, 0, ENDPOINT_BYTES);
}
