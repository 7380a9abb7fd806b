// A subscriber in GLib's main loop, as GTK and GStreamer programs have it.
#include "loop.h"

#include <glib-unix.h>

static GMainLoop *loop;

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data) {
    (void)fd, (void)condition, (void)data;
    if (readable()) g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_tick(gpointer data) {
    (void)data;
    if (tick()) g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

int main(void) {
    int fd = begin();
    loop = g_main_loop_new(NULL, FALSE);
    guint frames = g_unix_fd_add(fd, G_IO_IN, on_readable, NULL);
    guint ticks = g_timeout_add(TICK_MS, on_tick, NULL);
    g_main_loop_run(loop);
    g_source_remove(ticks);
    g_source_remove(frames);
    g_main_loop_unref(loop);
    return end();
}
