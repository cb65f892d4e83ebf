/*
 * The yardstick of `npm run bench -- udp` and `-- dns`: an echo server that does nothing but recvmmsg and sendmmsg, in C.
 * With `dns` after the address it sets the bit by which a DNS client knows an answer (RFC 1035 section 4.1.1), and with a
 * number after that its replies are so many octets longer, as if there were an answer in them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define SLOT 2048

int main(int argc, char **argv) {
  static char bytes[BATCH][SLOT];
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  static struct sockaddr_in names[BATCH];
  struct sockaddr_in local = {.sin_family = AF_INET};
  socklen_t length = sizeof local;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 4 << 20;
  const unsigned longer = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
  if (argc < 2 || longer > SLOT / 2 || inet_pton(AF_INET, argv[1], &local.sin_addr) != 1) return 2;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0 || getsockname(fd, (struct sockaddr *)&local, &length) != 0) {
    perror("bind");
    return 1;
  }
  printf("%d\n", ntohs(local.sin_port));
  fflush(stdout);
  for (;;) {
    for (int i = 0; i < BATCH; i += 1) {
      parts[i] = (struct iovec){bytes[i], SLOT - longer};
      messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    const int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count < 0 && errno != EINTR) return 1;
    for (int i = 0; i < count; i += 1) {
      parts[i].iov_len = messages[i].msg_len + longer; /* what stands there is from before */
      if (argc > 2) bytes[i][2] |= (char)0x80;
    }
    for (int at = 0; at < count;) {
      const int sent = sendmmsg(fd, messages + at, count - at, 0);
      at += sent > 0 ? sent : 1;
    }
  }
}
