/* Sends a channel by WebRTC (VP8) and receives it again, in one process: how a pipeline with webrtcbin reads a channel.
 *
 *     cc webrtc.c -o webrtc $(pkg-config --cflags --libs gstreamer-webrtc-1.0 gstreamer-sdp-1.0)
 *     ./webrtc camera0 30
 *
 * A program of your own passes offer, answer and candidates over its own signalling, such as a WebSocket, instead of handing
 * them from one element to the other. Needs gstreamer1.0-plugins-bad, gstreamer1.0-nice and the element framesharesrc. */
#define GST_USE_UNSTABLE_API
#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>
#include <stdlib.h>

static GstElement *pipeline, *sender, *receiver;
static GMainLoop *loop;
static gint wanted = 30, seen, status = 1;

static GstWebRTCSessionDescription *
description(GstPromise *promise, const char *kind)
{
    GstWebRTCSessionDescription *found = NULL;
    gst_structure_get(gst_promise_get_reply(promise), kind, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &found, NULL);
    gst_promise_unref(promise);
    return found;
}

static void
answered(GstPromise *promise, G_GNUC_UNUSED gpointer data)
{
    GstWebRTCSessionDescription *answer = description(promise, "answer");
    g_signal_emit_by_name(receiver, "set-local-description", answer, NULL);
    g_signal_emit_by_name(sender, "set-remote-description", answer, NULL);
    gst_webrtc_session_description_free(answer);
}

static void
offered(GstPromise *promise, G_GNUC_UNUSED gpointer data)
{
    GstWebRTCSessionDescription *offer = description(promise, "offer");
    g_signal_emit_by_name(sender, "set-local-description", offer, NULL);
    g_signal_emit_by_name(receiver, "set-remote-description", offer, NULL);
    gst_webrtc_session_description_free(offer);
    g_signal_emit_by_name(receiver, "create-answer", NULL,
                          gst_promise_new_with_change_func(answered, NULL, NULL));
}

static void
begin(G_GNUC_UNUSED GstElement *element, G_GNUC_UNUSED gpointer data)
{
    g_signal_emit_by_name(sender, "create-offer", NULL, gst_promise_new_with_change_func(offered, NULL, NULL));
}

static void
pass_on(G_GNUC_UNUSED GstElement *from, guint line, gchar *candidate, gpointer to)
{
    g_signal_emit_by_name(to, "add-ice-candidate", line, candidate);
}

static GstPadProbeReturn
received(G_GNUC_UNUSED GstPad *pad, G_GNUC_UNUSED GstPadProbeInfo *info, G_GNUC_UNUSED gpointer data)
{
    if (++seen == wanted) {
        status = 0;
        g_main_loop_quit(loop);
    }
    return GST_PAD_PROBE_OK;
}

static void
show(G_GNUC_UNUSED GstElement *element, GstPad *pad, G_GNUC_UNUSED gpointer data)
{
    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
    GstElement *decoder = gst_parse_bin_from_description("rtpvp8depay ! vp8dec ! fakesink name=out sync=false", TRUE, NULL);
    GstElement *out = gst_bin_get_by_name(GST_BIN(decoder), "out");
    GstPad *last = gst_element_get_static_pad(out, "sink");
    gst_pad_add_probe(last, GST_PAD_PROBE_TYPE_BUFFER, received, NULL, NULL);
    gst_object_unref(last);
    gst_object_unref(out);
    gst_bin_add(GST_BIN(pipeline), decoder);
    gst_element_sync_state_with_parent(decoder);
    GstPad *first = gst_element_get_static_pad(decoder, "sink");
    gst_pad_link(pad, first);
    gst_object_unref(first);
}

static gboolean
told(G_GNUC_UNUSED GstBus *bus, GstMessage *message, G_GNUC_UNUSED gpointer data)
{
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        g_printerr("webrtc: %s\n", error->message);
        g_error_free(error);
        g_main_loop_quit(loop);
    }
    return TRUE;
}

int
main(int count, char **arguments)
{
    GError *error = NULL;
    gst_init(&count, &arguments);
    if (count < 2) {
        g_printerr("usage: webrtc CHANNEL [PICTURES]\n");
        return 64;
    }
    if (count > 2) wanted = MAX(1, atoi(arguments[2]));
    gchar *text = g_strdup_printf(
        "framesharesrc name=camera ! videoconvert ! queue leaky=downstream max-size-buffers=2 "
        "! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay pt=96 "
        "! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtcbin name=sender bundle-policy=max-bundle");
    pipeline = gst_parse_launch(text, &error);
    g_free(text);
    if (!pipeline) {
        g_printerr("webrtc: %s\n", error->message);
        return 1;
    }
    GstElement *camera = gst_bin_get_by_name(GST_BIN(pipeline), "camera");
    g_object_set(camera, "channel", arguments[1], NULL);
    gst_object_unref(camera);
    sender = gst_bin_get_by_name(GST_BIN(pipeline), "sender");
    receiver = gst_element_factory_make("webrtcbin", "receiver");
    g_object_set(receiver, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, NULL);
    gst_bin_add(GST_BIN(pipeline), gst_object_ref(receiver));
    loop = g_main_loop_new(NULL, FALSE);

    g_signal_connect(sender, "on-negotiation-needed", G_CALLBACK(begin), NULL);
    g_signal_connect(sender, "on-ice-candidate", G_CALLBACK(pass_on), receiver);
    g_signal_connect(receiver, "on-ice-candidate", G_CALLBACK(pass_on), sender);
    g_signal_connect(receiver, "pad-added", G_CALLBACK(show), NULL);
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_bus_add_watch(bus, told, NULL);

    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE) g_main_loop_run(loop);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);
    gst_object_unref(bus);
    gst_object_unref(sender);
    gst_object_unref(receiver);
    gst_object_unref(pipeline);
    g_main_loop_unref(loop);
    g_print("received %d pictures\n", seen);
    return status;
}
