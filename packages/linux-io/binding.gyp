{
  "variables": { "sanitize%": 0 },
  "targets": [
    {
      "target_name": "linux_io",
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "native/addon.c",
            "native/arguments.c",
            "native/clock.c",
            "native/datagram_queue.c",
            "native/endpoint.c",
            "native/lifetime.c",
            "native/memory.c",
            "native/scheduling.c",
            "native/slabs.c",
            "native/socket_options.c",
            "native/socket_set.c",
            "native/tcp_connect.c",
            "native/tcp_state.c",
            "native/udp_open.c",
            "native/udp_receive.c",
            "native/udp_send.c"
          ]
        }, {
          "sources": ["native/addon_elsewhere.c"]
        }],
        ["sanitize==1", {
          "cflags": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g"],
          "ldflags": ["-fsanitize=address,undefined"]
        }]
      ],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=9"],
      # libuv has its handles cast to one another
      "cflags": ["-std=c11", "-O2", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"]
    }
  ]
}
