// A subscriber in libuv's loop, as Node.js programs have it.
#include "loop.h"

#include <uv.h>

static uv_loop_t loop;

static void on_readable(uv_poll_t *handle, int status, int events) {
    (void)handle, (void)events;
    if (status != 0 || readable()) uv_stop(&loop);
}

static void on_tick(uv_timer_t *handle) {
    (void)handle;
    if (tick()) uv_stop(&loop);
}

int main(void) {
    int fd = begin();
    uv_poll_t frames;
    uv_timer_t timer;
    if (uv_loop_init(&loop) != 0 || uv_poll_init(&loop, &frames, fd) != 0 || uv_timer_init(&loop, &timer) != 0) return 1;
    if (uv_poll_start(&frames, UV_READABLE, on_readable) != 0) return 1;
    if (uv_timer_start(&timer, on_tick, TICK_MS, TICK_MS) != 0) return 1;
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&frames, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return end();
}
