/*
 * A kernel that has its troubles, for LD_PRELOAD. FAULTS names them:
 *   some   sendmmsg: in turn interrupted, full (EAGAIN), refused (ENOBUFS), sent in part, right; recvmmsg: interrupted
 *   never  sendmmsg: refused (ENOBUFS), always
 *   reads  recvmmsg: every third time an error that a socket may report (ENETDOWN), or interrupted
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*send_many)(int, struct mmsghdr *, unsigned, int);
typedef int (*receive_many)(int, struct mmsghdr *, unsigned, int, struct timespec *);

static int has(const char *faults) {
  const char *wanted = getenv("FAULTS");
  return wanted != NULL && strcmp(wanted, faults) == 0;
}

static int fail(int number) {
  errno = number;
  return -1;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  static __thread unsigned turn;
  const send_many real = (send_many)dlsym(RTLD_NEXT, "sendmmsg");
  if (has("never")) return fail(ENOBUFS);
  if (!has("some")) return real(fd, messages, count, flags);
  switch (turn++ % 7) {
    case 0: return fail(EINTR);
    case 1: return fail(EAGAIN);
    case 2: return real(fd, messages, 1, flags);
    case 3: return fail(ENOBUFS);
    case 4: return real(fd, messages, (count + 1) / 2, flags);
    default: return real(fd, messages, count, flags);
  }
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
  static __thread unsigned turn;
  const receive_many real = (receive_many)dlsym(RTLD_NEXT, "recvmmsg");
  turn += 1;
  if (has("some") && turn % 3 == 0) return fail(EINTR);
  if (has("reads") && turn % 3 == 0) return fail(turn % 2 == 0 ? ENETDOWN : EINTR);
  return real(fd, messages, count, flags, timeout);
}
