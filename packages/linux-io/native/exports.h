/* What addon.c gives to JavaScript; each function says there what it takes. */
#ifndef STITCH_EXPORTS_H
#define STITCH_EXPORTS_H

#include <node_api.h>

napi_value udp_open(napi_env env, napi_callback_info info);
napi_value udp_reply_now(napi_env env, napi_callback_info info);
napi_value udp_send(napi_env env, napi_callback_info info);
napi_value udp_send_many(napi_env env, napi_callback_info info);
napi_value udp_drops(napi_env env, napi_callback_info info);
napi_value udp_close(napi_env env, napi_callback_info info);

napi_value set_create(napi_env env, napi_callback_info info);
napi_value set_open(napi_env env, napi_callback_info info);
napi_value set_send(napi_env env, napi_callback_info info);
napi_value set_close_socket(napi_env env, napi_callback_info info);
napi_value set_close(napi_env env, napi_callback_info info);

napi_value tcp_connect(napi_env env, napi_callback_info info);
napi_value tcp_take(napi_env env, napi_callback_info info);
napi_value tcp_state(napi_env env, napi_callback_info info);
napi_value tcp_close(napi_env env, napi_callback_info info);

napi_value kernel_clock(napi_env env, napi_callback_info info);
napi_value thread_realtime(napi_env env, napi_callback_info info);
napi_value thread_slice(napi_env env, napi_callback_info info);
napi_value huge_pages(napi_env env, napi_callback_info info);

#endif
