#include "frame_meta.h"

#include <string.h>

void
fs_frame_meta_register(void)
{
    static const gchar *tags[] = {NULL};
    if (!gst_meta_get_info(FS_FRAME_META)) gst_meta_register_custom(FS_FRAME_META, tags, NULL, NULL, NULL);
}

static const char *const clock_names[] = {"unknown", "monotonic", "boottime", "realtime"};

const char *
fs_clock_name(guint32 clock)
{
    return clock_names[clock < G_N_ELEMENTS(clock_names) ? clock : 0];
}

GstCaps *
fs_clock_caps(guint32 clock)
{
    if (clock == FRAMESHARE_CLOCK_REALTIME) return gst_caps_new_empty_simple("timestamp/x-unix");
    return gst_caps_new_simple("timestamp/x-frameshare", "clock", G_TYPE_STRING, fs_clock_name(clock), NULL);
}

/* Elements of `size` bytes each as one GValue, or several as an array. */
static gboolean
value_from_entry(const struct frameshare_entry *entry, GValue *value)
{
    guint32 type = entry->type & ~(guint32)FRAMESHARE_TYPE_ARRAY;
    gboolean array = (entry->type & FRAMESHARE_TYPE_ARRAY) != 0;
    const guint8 *at = entry->data, *end = at + entry->size;
    gsize size;

    switch (type) {
    case FRAMESHARE_TYPE_BOOL: size = 1; break;
    case FRAMESHARE_TYPE_INT32:
    case FRAMESHARE_TYPE_FLOAT: size = 4; break;
    case FRAMESHARE_TYPE_INT64:
    case FRAMESHARE_TYPE_DOUBLE:
    case FRAMESHARE_TYPE_SIZE: size = 8; break;
    case FRAMESHARE_TYPE_RECTANGLE: size = 16; break;
    case FRAMESHARE_TYPE_STRING: size = 0; break;
    case FRAMESHARE_TYPE_BYTES: {
        if (array) return FALSE;
        GBytes *bytes = g_bytes_new(entry->data, entry->size);
        g_value_init(value, G_TYPE_BYTES);
        g_value_take_boxed(value, bytes);
        return TRUE;
    }
    default: return FALSE;
    }
    if (array) g_value_init(value, GST_TYPE_ARRAY);
    while (at < end || (!array && type == FRAMESHARE_TYPE_STRING)) {
        GValue element = G_VALUE_INIT;
        if (type == FRAMESHARE_TYPE_STRING) {
            guint32 length = (guint32)(end - at);
            if (array) {
                if (end - at < 4) break;
                memcpy(&length, at, 4);
                at += 4;
                if (length > (gsize)(end - at)) break;
            }
            gchar *text = g_utf8_make_valid((const gchar *)at, length);
            g_value_init(&element, G_TYPE_STRING);
            g_value_take_string(&element, text);
            at += length;
        } else {
            if ((gsize)(end - at) < size) break;
            gint32 words[4] = {0};
            gint64 wide;
            gfloat single;
            gdouble real;
            memcpy(words, at, size);
            switch (type) {
            case FRAMESHARE_TYPE_BOOL:
                g_value_init(&element, G_TYPE_BOOLEAN);
                g_value_set_boolean(&element, *at != 0);
                break;
            case FRAMESHARE_TYPE_INT32:
                g_value_init(&element, G_TYPE_INT);
                g_value_set_int(&element, words[0]);
                break;
            case FRAMESHARE_TYPE_INT64:
                memcpy(&wide, at, 8);
                g_value_init(&element, G_TYPE_INT64);
                g_value_set_int64(&element, wide);
                break;
            case FRAMESHARE_TYPE_FLOAT:
                memcpy(&single, at, 4);
                g_value_init(&element, G_TYPE_FLOAT);
                g_value_set_float(&element, single);
                break;
            case FRAMESHARE_TYPE_DOUBLE:
                memcpy(&real, at, 8);
                g_value_init(&element, G_TYPE_DOUBLE);
                g_value_set_double(&element, real);
                break;
            case FRAMESHARE_TYPE_SIZE:
                g_value_init(&element, GST_TYPE_STRUCTURE);
                g_value_take_boxed(&element, gst_structure_new("size", "width", G_TYPE_UINT, (guint32)words[0], "height",
                                                               G_TYPE_UINT, (guint32)words[1], NULL));
                break;
            default:
                g_value_init(&element, GST_TYPE_STRUCTURE);
                g_value_take_boxed(&element, gst_structure_new("rectangle", "x", G_TYPE_INT, words[0], "y", G_TYPE_INT,
                                                               words[1], "width", G_TYPE_UINT, (guint32)words[2],
                                                               "height", G_TYPE_UINT, (guint32)words[3], NULL));
            }
            at += size;
        }
        if (array) {
            gst_value_array_append_and_take_value(value, &element);
        } else {
            *value = element;
            return TRUE;
        }
    }
    return array;
}

/* GLib never forgets a field's name. A publisher that makes up names would make its readers grow without end. */
static gboolean
may_name(const char *key)
{
    static gint names;
    if (*key == 0 || !g_utf8_validate(key, -1, NULL)) return FALSE;
    if (g_quark_try_string(key)) return TRUE;
    return g_atomic_int_add(&names, 1) < 1024;
}

void
fs_frame_meta_add(GstBuffer *buffer, const frameshare_frame *frame, const struct frameshare_frame_info *info,
                  gboolean metadata)
{
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, FS_FRAME_META);
    if (!meta) return;
    GstStructure *structure = gst_custom_meta_get_structure(meta);
    gst_structure_set(structure, "number", G_TYPE_UINT64, info->number, "sequence", G_TYPE_UINT64, info->sequence,
                      "generation", G_TYPE_UINT, info->generation, "flags", G_TYPE_UINT, info->flags, "timestamp",
                      G_TYPE_INT64, info->timestamp, "clock", G_TYPE_STRING, fs_clock_name(info->clock), NULL);
    if (!metadata || info->metadata_size == 0) return;

    GstStructure *entries = gst_structure_new_empty("metadata");
    struct frameshare_entry entry;
    size_t cursor = 0;
    while (frameshare_frame_metadata_next(frame, &cursor, &entry) == FRAMESHARE_OK) {
        GValue value = G_VALUE_INIT;
        gchar *key = g_strndup(entry.key, entry.key_size);
        if (may_name(key) && value_from_entry(&entry, &value)) gst_structure_take_value(entries, key, &value);
        g_free(key);
    }
    gst_structure_set(structure, "metadata", GST_TYPE_STRUCTURE, entries, NULL);
    gst_structure_free(entries);
}

static gboolean
set_entry(G_GNUC_UNUSED GQuark id, const GValue *value, gpointer data)
{
    frameshare_metadata *metadata = data;
    const char *key = g_quark_to_string(id);
    if (G_VALUE_HOLDS_BOOLEAN(value)) {
        frameshare_metadata_set_bool(metadata, key, g_value_get_boolean(value));
    } else if (G_VALUE_HOLDS_INT(value)) {
        frameshare_metadata_set_int32(metadata, key, g_value_get_int(value));
    } else if (G_VALUE_HOLDS_INT64(value)) {
        frameshare_metadata_set_int64(metadata, key, g_value_get_int64(value));
    } else if (G_VALUE_HOLDS_FLOAT(value)) {
        frameshare_metadata_set_float(metadata, key, g_value_get_float(value));
    } else if (G_VALUE_HOLDS_DOUBLE(value)) {
        frameshare_metadata_set_double(metadata, key, g_value_get_double(value));
    } else if (G_VALUE_HOLDS_STRING(value)) {
        const char *text = g_value_get_string(value);
        if (text) frameshare_metadata_set_string(metadata, key, text);
    } else if (G_VALUE_HOLDS(value, G_TYPE_BYTES)) {
        GBytes *bytes = g_value_get_boxed(value);
        gsize size = 0;
        const void *at = bytes ? g_bytes_get_data(bytes, &size) : NULL;
        if (bytes) frameshare_metadata_set(metadata, key, FRAMESHARE_TYPE_BYTES, at, size);
    } else if (GST_VALUE_HOLDS_STRUCTURE(value)) {
        const GstStructure *shape = gst_value_get_structure(value);
        gint32 words[4] = {0};
        gst_structure_get_int(shape, "x", &words[0]);
        gst_structure_get_int(shape, "y", &words[1]);
        gst_structure_get_uint(shape, "width", (guint *)&words[2]);
        gst_structure_get_uint(shape, "height", (guint *)&words[3]);
        if (gst_structure_has_name(shape, "rectangle"))
            frameshare_metadata_set(metadata, key, FRAMESHARE_TYPE_RECTANGLE, words, sizeof words);
        else if (gst_structure_has_name(shape, "size"))
            frameshare_metadata_set(metadata, key, FRAMESHARE_TYPE_SIZE, words + 2, 8);
    } else if (GST_VALUE_HOLDS_ARRAY(value)) {
        /* Numbers of one kind; others have no place in a GStreamer pipeline that was not made by hand. */
        guint count = gst_value_array_get_size(value);
        if (count == 0 || count > 4096) return TRUE;
        GType kind = G_VALUE_TYPE(gst_value_array_get_value(value, 0));
        guint32 type = kind == G_TYPE_INT      ? FRAMESHARE_TYPE_INT32
                       : kind == G_TYPE_INT64  ? FRAMESHARE_TYPE_INT64
                       : kind == G_TYPE_FLOAT  ? FRAMESHARE_TYPE_FLOAT
                       : kind == G_TYPE_DOUBLE ? FRAMESHARE_TYPE_DOUBLE
                                               : 0;
        gsize size = type == FRAMESHARE_TYPE_INT32 || type == FRAMESHARE_TYPE_FLOAT ? 4 : 8;
        if (type == 0) return TRUE;
        guint8 *bytes = g_malloc(count * size);
        for (guint i = 0; i < count; i++) {
            const GValue *element = gst_value_array_get_value(value, i);
            if (G_VALUE_TYPE(element) != kind) {
                g_free(bytes);
                return TRUE;
            }
            /* The union of a GValue of these kinds begins with the number itself. */
            memcpy(bytes + i * size, &element->data[0], size);
        }
        frameshare_metadata_set(metadata, key, type | FRAMESHARE_TYPE_ARRAY, bytes, count * size);
        g_free(bytes);
    }
    return TRUE;
}

gboolean
fs_frame_meta_get(GstBuffer *buffer, struct frameshare_description *description, frameshare_metadata *metadata)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, FS_FRAME_META);
    frameshare_metadata_clear(metadata);
    if (!meta) return FALSE;
    GstStructure *structure = gst_custom_meta_get_structure(meta);
    guint flags = 0;
    gint64 timestamp = 0;
    guint64 sequence = 0;
    const char *clock = gst_structure_get_string(structure, "clock");

    if (gst_structure_get_uint(structure, "flags", &flags)) description->flags |= flags;
    if (gst_structure_get_uint64(structure, "sequence", &sequence)) {
        description->has_sequence = 1;
        description->sequence = sequence;
    }
    if (clock && gst_structure_get_int64(structure, "timestamp", &timestamp)) {
        for (guint32 i = 0; i < G_N_ELEMENTS(clock_names); i++)
            if (strcmp(clock, clock_names[i]) == 0) description->clock = i;
        description->has_timestamp = 1;
        description->timestamp = timestamp;
    }
    const GValue *entries = gst_structure_get_value(structure, "metadata");
    if (entries && GST_VALUE_HOLDS_STRUCTURE(entries))
        gst_structure_foreach(gst_value_get_structure(entries), set_entry, metadata);
    return TRUE;
}
