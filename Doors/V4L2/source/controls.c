#include "controls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Controls that V4L2 numbers, by the names that V4L2's drivers and libcamera use. Others get numbers of the channel's own. */
static const struct {
    const char *name;
    __u32 id;
} known[] = {
    {"brightness", V4L2_CID_BRIGHTNESS},
    {"contrast", V4L2_CID_CONTRAST},
    {"saturation", V4L2_CID_SATURATION},
    {"hue", V4L2_CID_HUE},
    {"gain", V4L2_CID_GAIN},
    {"exposure", V4L2_CID_EXPOSURE},
    {"sharpness", V4L2_CID_SHARPNESS},
    {"gamma", V4L2_CID_GAMMA},
    {"horizontal_flip", V4L2_CID_HFLIP},
    {"vertical_flip", V4L2_CID_VFLIP},
    {"gain_automatic", V4L2_CID_AUTOGAIN},
    {"white_balance_automatic", V4L2_CID_AUTO_WHITE_BALANCE},
    {"white_balance_temperature", V4L2_CID_WHITE_BALANCE_TEMPERATURE},
    {"backlight_compensation", V4L2_CID_BACKLIGHT_COMPENSATION},
    {"power_line_frequency", V4L2_CID_POWER_LINE_FREQUENCY},
    {"auto_exposure", V4L2_CID_EXPOSURE_AUTO},
    {"exposure_time_absolute", V4L2_CID_EXPOSURE_ABSOLUTE},
    {"focus_absolute", V4L2_CID_FOCUS_ABSOLUTE},
    {"focus_automatic_continuous", V4L2_CID_FOCUS_AUTO},
    {"zoom_absolute", V4L2_CID_ZOOM_ABSOLUTE},
    {"pan_absolute", V4L2_CID_PAN_ABSOLUTE},
    {"tilt_absolute", V4L2_CID_TILT_ABSOLUTE},
};

/* Beyond the kernel's own numbers of the user class. */
#define OWN_BASE (V4L2_CTRL_CLASS_USER | 0x1f00)
#define MOST 256

typedef struct {
    __u32 id;
    __u32 type;
    __s64 minimum, maximum, standard, value;
    struct frameshare_control control;
} entry;

static bool
number(const char *text, __s64 *value)
{
    char *end;
    if (!text || !*text) return false;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *value = text[0] == 't';
        return true;
    }
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && *end == 0;
}

static int
by_id(const void *left, const void *right)
{
    __u32 a = ((const entry *)left)->id, b = ((const entry *)right)->id;
    return a < b ? -1 : a > b;
}

/* The channel's controls that V4L2 can say, in the order of their numbers. */
static size_t
entries_of(const frameshare_control_list *list, entry *entries)
{
    size_t count = 0;
    for (size_t i = 0; count < MOST; i++) {
        entry *at = &entries[count];
        at->control = frameshare_control_init();
        if (frameshare_control_list_get(list, i, &at->control) != FRAMESHARE_OK) break;
        at->minimum = 0;
        at->maximum = 1;
        at->standard = at->value = 0;
        switch (at->control.kind) {
        case FRAMESHARE_CONTROL_BOOLEAN: at->type = V4L2_CTRL_TYPE_BOOLEAN; break;
        case FRAMESHARE_CONTROL_BUTTON:
            at->type = V4L2_CTRL_TYPE_BUTTON;
            at->maximum = 0;
            break;
        case FRAMESHARE_CONTROL_INTEGER:
            at->type = V4L2_CTRL_TYPE_INTEGER;
            if (!number(at->control.minimum, &at->minimum) || !number(at->control.maximum, &at->maximum) ||
                at->minimum < INT32_MIN || at->maximum > INT32_MAX)
                continue;
            break;
        case FRAMESHARE_CONTROL_MENU: {
            __s64 item;
            bool numbers = at->control.item_count > 0;
            at->type = V4L2_CTRL_TYPE_MENU;
            at->minimum = INT32_MAX;
            at->maximum = 0;
            for (size_t k = 0; k < at->control.item_count; k++) {
                if (!number(at->control.items[k].value, &item) || item < 0 || item > 255) numbers = false;
                else {
                    if (item < at->minimum) at->minimum = item;
                    if (item > at->maximum) at->maximum = item;
                }
            }
            if (!numbers) continue;
            break;
        }
        default: continue;
        }
        number(at->control.standard, &at->standard);
        number(at->control.value, &at->value);
        at->id = OWN_BASE + (__u32)i;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcasecmp(known[k].name, at->control.name) == 0) at->id = known[k].id;
        count++;
    }
    qsort(entries, count, sizeof *entries, by_id);
    return count;
}

/* The control with a number, or the one that V4L2_CTRL_FLAG_NEXT_CTRL leads to. */
static const entry *
find(const entry *entries, size_t count, __u32 id)
{
    bool next = id & (V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND);
    bool compound_only = (id & V4L2_CTRL_FLAG_NEXT_COMPOUND) && !(id & V4L2_CTRL_FLAG_NEXT_CTRL);
    __u32 bare = id & V4L2_CTRL_ID_MASK;
    if (compound_only) return NULL;
    for (size_t i = 0; i < count; i++)
        if (next ? entries[i].id > bare : entries[i].id == bare) return &entries[i];
    return NULL;
}

static __u32
flags_of(const entry *control)
{
    return (control->control.read_only ? V4L2_CTRL_FLAG_READ_ONLY : 0) |
           (control->control.inactive ? V4L2_CTRL_FLAG_INACTIVE : 0) |
           (control->type == V4L2_CTRL_TYPE_BUTTON ? V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE : 0);
}

static const char *
title_of(const entry *control)
{
    return control->control.label && *control->control.label ? control->control.label : control->control.name;
}

static int
set(frameshare_monitor *monitor, const entry *control, __s64 value, __s32 *now)
{
    char text[32], answer[64] = "";
    if (control->control.read_only) {
        errno = EACCES;
        return -1;
    }
    if (control->type != V4L2_CTRL_TYPE_BUTTON && (value < control->minimum || value > control->maximum)) {
        if (control->type == V4L2_CTRL_TYPE_MENU) {
            errno = ERANGE;
            return -1;
        }
        value = value < control->minimum ? control->minimum : control->maximum;
    }
    if (control->type == V4L2_CTRL_TYPE_BOOLEAN) snprintf(text, sizeof text, "%s", value ? "true" : "false");
    else if (control->type == V4L2_CTRL_TYPE_BUTTON) text[0] = 0;
    else snprintf(text, sizeof text, "%lld", (long long)value);
    int result = frameshare_monitor_set_control(monitor, control->control.name, text, answer, sizeof answer);
    if (result != FRAMESHARE_OK) {
        errno = result == FRAMESHARE_ERROR_NOT_ALLOWED ? EACCES
                : result == FRAMESHARE_ERROR_REFUSED   ? EBUSY
                                                       : EIO;
        return -1;
    }
    __s64 taken = value;
    number(answer, &taken);
    *now = (__s32)taken;
    return 0;
}

static int
one(frameshare_monitor *monitor, const entry *entries, size_t count, unsigned long request, void *argument)
{
    switch (request) {
    case VIDIOC_QUERYCTRL: {
        struct v4l2_queryctrl *query = argument;
        const entry *control = find(entries, count, query->id);
        if (!control) break;
        memset(query, 0, sizeof *query);
        query->id = control->id;
        query->type = control->type;
        snprintf((char *)query->name, sizeof query->name, "%s", title_of(control));
        query->minimum = (__s32)control->minimum;
        query->maximum = (__s32)control->maximum;
        query->step = control->type == V4L2_CTRL_TYPE_BUTTON ? 0 : 1;
        query->default_value = (__s32)control->standard;
        query->flags = flags_of(control);
        return 0;
    }
    case VIDIOC_QUERY_EXT_CTRL: {
        struct v4l2_query_ext_ctrl *query = argument;
        const entry *control = find(entries, count, query->id);
        if (!control) break;
        memset(query, 0, sizeof *query);
        query->id = control->id;
        query->type = control->type;
        snprintf(query->name, sizeof query->name, "%s", title_of(control));
        query->minimum = control->minimum;
        query->maximum = control->maximum;
        query->step = control->type == V4L2_CTRL_TYPE_BUTTON ? 0 : 1;
        query->default_value = control->standard;
        query->flags = flags_of(control);
        query->elem_size = 4;
        query->elems = 1;
        return 0;
    }
    case VIDIOC_QUERYMENU: {
        struct v4l2_querymenu *query = argument;
        const entry *control = find(entries, count, query->id);
        if (!control || control->type != V4L2_CTRL_TYPE_MENU) break;
        for (size_t i = 0; i < control->control.item_count; i++) {
            __s64 value;
            if (!number(control->control.items[i].value, &value) || value != query->index) continue;
            const char *name = control->control.items[i].name;
            snprintf((char *)query->name, sizeof query->name, "%s", name ? name : control->control.items[i].value);
            query->reserved = 0;
            return 0;
        }
        break;
    }
    case VIDIOC_G_CTRL: {
        struct v4l2_control *value = argument;
        const entry *control = find(entries, count, value->id & V4L2_CTRL_ID_MASK);
        if (!control) break;
        if (control->type == V4L2_CTRL_TYPE_BUTTON) {
            errno = EACCES;
            return -1;
        }
        value->value = (__s32)control->value;
        return 0;
    }
    case VIDIOC_S_CTRL: {
        struct v4l2_control *value = argument;
        const entry *control = find(entries, count, value->id & V4L2_CTRL_ID_MASK);
        if (!control) break;
        return set(monitor, control, value->value, &value->value);
    }
    case VIDIOC_G_EXT_CTRLS:
    case VIDIOC_S_EXT_CTRLS:
    case VIDIOC_TRY_EXT_CTRLS: {
        struct v4l2_ext_controls *list = argument;
        if (list->which == V4L2_CTRL_WHICH_REQUEST_VAL) {
            errno = EACCES;
            return -1;
        }
        list->error_idx = list->count;
        if (list->which != V4L2_CTRL_WHICH_CUR_VAL && list->which != V4L2_CTRL_WHICH_DEF_VAL &&
            list->which != V4L2_CTRL_CLASS_USER && list->which != V4L2_CTRL_CLASS_CAMERA)
            break;
        /* All are looked at before any is set. */
        for (__u32 i = 0; i < list->count; i++) {
            const entry *control = find(entries, count, list->controls[i].id & V4L2_CTRL_ID_MASK);
            bool wrong_class = control && (list->which == V4L2_CTRL_CLASS_USER || list->which == V4L2_CTRL_CLASS_CAMERA) &&
                               V4L2_CTRL_ID2WHICH(control->id) != list->which;
            if (!control || wrong_class) {
                if (request == VIDIOC_TRY_EXT_CTRLS) list->error_idx = i;
                errno = EINVAL;
                return -1;
            }
            if (request == VIDIOC_G_EXT_CTRLS && control->type == V4L2_CTRL_TYPE_BUTTON) {
                errno = EACCES;
                return -1;
            }
            if (request != VIDIOC_G_EXT_CTRLS && control->control.read_only) {
                if (request == VIDIOC_TRY_EXT_CTRLS) list->error_idx = i;
                errno = EACCES;
                return -1;
            }
        }
        if (list->which == V4L2_CTRL_WHICH_DEF_VAL && request != VIDIOC_G_EXT_CTRLS) break;
        for (__u32 i = 0; i < list->count; i++) {
            struct v4l2_ext_control *value = &list->controls[i];
            const entry *control = find(entries, count, value->id & V4L2_CTRL_ID_MASK);
            if (request == VIDIOC_G_EXT_CTRLS) {
                value->value = (__s32)(list->which == V4L2_CTRL_WHICH_DEF_VAL ? control->standard : control->value);
            } else if (request == VIDIOC_S_EXT_CTRLS) {
                __s32 now;
                if (set(monitor, control, value->value, &now) != 0) {
                    list->error_idx = i;
                    return -1;
                }
                value->value = now;
            } else if (control->type == V4L2_CTRL_TYPE_MENU &&
                       (value->value < control->minimum || value->value > control->maximum)) {
                list->error_idx = i;
                errno = ERANGE;
                return -1;
            } else {
                if (value->value < control->minimum) value->value = (__s32)control->minimum;
                if (value->value > control->maximum) value->value = (__s32)control->maximum;
            }
        }
        return 0;
    }
    default: errno = ENOTTY; return -1;
    }
    errno = EINVAL;
    return -1;
}

int
controls_ioctl(frameshare_monitor *monitor, unsigned long request, void *argument)
{
    frameshare_control_list *list = NULL;
    entry *entries = calloc(MOST, sizeof *entries);
    size_t count = 0;
    if (!entries) return -1;
    /* A source without controls has none: the calls exist all the same. */
    if (monitor && frameshare_monitor_get_controls(monitor, &list) == FRAMESHARE_OK) count = entries_of(list, entries);
    int result = one(monitor, entries, count, request, argument);
    int reason = errno;
    if (list) frameshare_control_list_release(list);
    free(entries);
    errno = reason;
    return result;
}
