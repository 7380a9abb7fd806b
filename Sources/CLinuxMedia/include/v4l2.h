// Video4Linux: the ioctls of <linux/videodev2.h>, whose request numbers Swift can't import, with their unions laid flat.
// Each function is one ioctl (two for DV timings) and returns 0 or a negative errno value.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

static inline int fs_v4l2_ioctl(int fd, unsigned long request, void *argument) {
    return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

// The device

static inline int fs_v4l2_query_capability(int fd, struct v4l2_capability *capability) {
    memset(capability, 0, sizeof *capability);
    return fs_v4l2_ioctl(fd, VIDIOC_QUERYCAP, capability);
}

static inline int fs_v4l2_enum_input(int fd, uint32_t index, struct v4l2_input *input) {
    memset(input, 0, sizeof *input);
    input->index = index;
    return fs_v4l2_ioctl(fd, VIDIOC_ENUMINPUT, input);
}

static inline int fs_v4l2_get_input(int fd, int32_t *index) {
    return fs_v4l2_ioctl(fd, VIDIOC_G_INPUT, index);
}

static inline int fs_v4l2_set_input(int fd, int32_t index) {
    return fs_v4l2_ioctl(fd, VIDIOC_S_INPUT, &index);
}

// Takes over the timings that a digital video input sees.
static inline int fs_v4l2_adopt_dv_timings(int fd) {
    struct v4l2_dv_timings timings;
    memset(&timings, 0, sizeof timings);
    int result = fs_v4l2_ioctl(fd, VIDIOC_QUERY_DV_TIMINGS, &timings);
    return result < 0 ? result : fs_v4l2_ioctl(fd, VIDIOC_S_DV_TIMINGS, &timings);
}

// Formats

static inline int fs_v4l2_enum_format(int fd, uint32_t type, uint32_t index, struct v4l2_fmtdesc *format) {
    memset(format, 0, sizeof *format);
    format->type = type;
    format->index = index;
    return fs_v4l2_ioctl(fd, VIDIOC_ENUM_FMT, format);
}

// A discrete size has its sides in the min and max fields, and steps of 0.
struct fs_v4l2_frame_size {
    uint32_t kind; // enum v4l2_frmsizetypes
    uint32_t min_width, max_width, step_width;
    uint32_t min_height, max_height, step_height;
};

static inline int fs_v4l2_enum_frame_size(int fd, uint32_t code, uint32_t index, struct fs_v4l2_frame_size *size) {
    struct v4l2_frmsizeenum e;
    memset(&e, 0, sizeof e);
    memset(size, 0, sizeof *size);
    e.index = index;
    e.pixel_format = code;
    int result = fs_v4l2_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, &e);
    if (result < 0) return result;
    size->kind = e.type;
    if (e.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
        size->min_width = size->max_width = e.discrete.width;
        size->min_height = size->max_height = e.discrete.height;
    } else {
        size->min_width = e.stepwise.min_width;
        size->max_width = e.stepwise.max_width;
        size->step_width = e.stepwise.step_width;
        size->min_height = e.stepwise.min_height;
        size->max_height = e.stepwise.max_height;
        size->step_height = e.stepwise.step_height;
    }
    return 0;
}

// A discrete interval stands in both min and max.
struct fs_v4l2_frame_interval {
    uint32_t kind; // enum v4l2_frmivaltypes
    uint32_t min_numerator, min_denominator;
    uint32_t max_numerator, max_denominator;
    uint32_t step_numerator, step_denominator;
};

static inline int fs_v4l2_enum_frame_interval(int fd, uint32_t code, uint32_t width, uint32_t height, uint32_t index,
                                              struct fs_v4l2_frame_interval *interval) {
    struct v4l2_frmivalenum e;
    memset(&e, 0, sizeof e);
    memset(interval, 0, sizeof *interval);
    e.index = index;
    e.pixel_format = code;
    e.width = width;
    e.height = height;
    int result = fs_v4l2_ioctl(fd, VIDIOC_ENUM_FRAMEINTERVALS, &e);
    if (result < 0) return result;
    interval->kind = e.type;
    if (e.type == V4L2_FRMIVAL_TYPE_DISCRETE) {
        interval->min_numerator = interval->max_numerator = e.discrete.numerator;
        interval->min_denominator = interval->max_denominator = e.discrete.denominator;
    } else {
        interval->min_numerator = e.stepwise.min.numerator;
        interval->min_denominator = e.stepwise.min.denominator;
        interval->max_numerator = e.stepwise.max.numerator;
        interval->max_denominator = e.stepwise.max.denominator;
        interval->step_numerator = e.stepwise.step.numerator;
        interval->step_denominator = e.stepwise.step.denominator;
    }
    return 0;
}

// v4l2_pix_format and v4l2_pix_format_mplane in one; which of them is meant follows from the buffer type.
struct fs_v4l2_format {
    uint32_t type; // enum v4l2_buf_type
    uint32_t width, height, pixelformat, field;
    uint32_t colorspace, xfer_func, ycbcr_enc, quantization;
    uint32_t num_planes; // 1 for the single-planar type
    uint32_t bytesperline[VIDEO_MAX_PLANES];
    uint32_t sizeimage[VIDEO_MAX_PLANES];
};

static inline bool fs_v4l2_is_multiplanar(uint32_t type) {
    return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

static inline bool fs_v4l2_is_output(uint32_t type) {
    return type == V4L2_BUF_TYPE_VIDEO_OUTPUT || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

static inline void fs_v4l2_read_format(const struct v4l2_format *from, struct fs_v4l2_format *to) {
    memset(to, 0, sizeof *to);
    to->type = from->type;
    if (fs_v4l2_is_multiplanar(from->type)) {
        const struct v4l2_pix_format_mplane *p = &from->fmt.pix_mp;
        to->width = p->width, to->height = p->height, to->pixelformat = p->pixelformat, to->field = p->field;
        to->colorspace = p->colorspace, to->xfer_func = p->xfer_func;
        to->ycbcr_enc = p->ycbcr_enc, to->quantization = p->quantization;
        to->num_planes = p->num_planes;
        for (uint32_t i = 0; i < p->num_planes && i < VIDEO_MAX_PLANES; i++) {
            to->bytesperline[i] = p->plane_fmt[i].bytesperline;
            to->sizeimage[i] = p->plane_fmt[i].sizeimage;
        }
    } else {
        const struct v4l2_pix_format *p = &from->fmt.pix;
        to->width = p->width, to->height = p->height, to->pixelformat = p->pixelformat, to->field = p->field;
        to->colorspace = p->colorspace, to->xfer_func = p->xfer_func;
        to->ycbcr_enc = p->ycbcr_enc, to->quantization = p->quantization;
        to->num_planes = 1;
        to->bytesperline[0] = p->bytesperline;
        to->sizeimage[0] = p->sizeimage;
    }
}

static inline int fs_v4l2_get_format(int fd, uint32_t type, struct fs_v4l2_format *format) {
    struct v4l2_format f;
    memset(&f, 0, sizeof f);
    f.type = type;
    int result = fs_v4l2_ioctl(fd, VIDIOC_G_FMT, &f);
    if (result == 0) fs_v4l2_read_format(&f, format);
    return result;
}

// Asks for a size and format; `format` then holds what the driver has made of it. A stride and image size of 0 leave
// both to the driver. `trial`: VIDIOC_TRY_FMT, which changes nothing.
static inline int fs_v4l2_set_format(int fd, bool trial, struct fs_v4l2_format *format) {
    struct v4l2_format f;
    memset(&f, 0, sizeof f);
    f.type = format->type;
    if (fs_v4l2_is_multiplanar(format->type)) {
        f.fmt.pix_mp.width = format->width;
        f.fmt.pix_mp.height = format->height;
        f.fmt.pix_mp.pixelformat = format->pixelformat;
        f.fmt.pix_mp.field = format->field;
        f.fmt.pix_mp.num_planes = (uint8_t)format->num_planes;
        for (uint32_t i = 0; i < format->num_planes && i < VIDEO_MAX_PLANES; i++) {
            f.fmt.pix_mp.plane_fmt[i].bytesperline = format->bytesperline[i];
            f.fmt.pix_mp.plane_fmt[i].sizeimage = format->sizeimage[i];
        }
    } else {
        f.fmt.pix.width = format->width;
        f.fmt.pix.height = format->height;
        f.fmt.pix.pixelformat = format->pixelformat;
        f.fmt.pix.field = format->field;
        f.fmt.pix.bytesperline = format->bytesperline[0];
        f.fmt.pix.sizeimage = format->sizeimage[0];
    }
    // What a program hands in has colours that it knows; of a camera they are the driver's to say.
    if (format->type == V4L2_BUF_TYPE_VIDEO_OUTPUT) {
        f.fmt.pix.colorspace = format->colorspace;
    } else if (format->type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE) {
        f.fmt.pix_mp.colorspace = format->colorspace;
    }
    int result = fs_v4l2_ioctl(fd, trial ? VIDIOC_TRY_FMT : VIDIOC_S_FMT, &f);
    if (result == 0) fs_v4l2_read_format(&f, format);
    return result;
}

// `capability`: V4L2_CAP_TIMEPERFRAME if the interval can be set.
static inline int fs_v4l2_get_interval(int fd, uint32_t type, uint32_t *numerator, uint32_t *denominator,
                                       uint32_t *capability) {
    struct v4l2_streamparm p;
    memset(&p, 0, sizeof p);
    p.type = type;
    int result = fs_v4l2_ioctl(fd, VIDIOC_G_PARM, &p);
    *numerator = p.parm.capture.timeperframe.numerator;
    *denominator = p.parm.capture.timeperframe.denominator;
    *capability = p.parm.capture.capability;
    return result;
}

// Asks for a time between frames; the driver's answer stands in the same two numbers.
static inline int fs_v4l2_set_interval(int fd, uint32_t type, uint32_t *numerator, uint32_t *denominator) {
    struct v4l2_streamparm p;
    memset(&p, 0, sizeof p);
    p.type = type;
    p.parm.capture.timeperframe.numerator = *numerator;
    p.parm.capture.timeperframe.denominator = *denominator;
    int result = fs_v4l2_ioctl(fd, VIDIOC_S_PARM, &p);
    *numerator = p.parm.capture.timeperframe.numerator;
    *denominator = p.parm.capture.timeperframe.denominator;
    return result;
}

// Buffers

// `count` 0 frees all buffers. Afterwards `count` is what there is and `capabilities` holds V4L2_BUF_CAP_*.
static inline int fs_v4l2_request_buffers(int fd, uint32_t type, uint32_t memory, uint32_t *count,
                                          uint32_t *capabilities) {
    struct v4l2_requestbuffers r;
    memset(&r, 0, sizeof r);
    r.count = *count;
    r.type = type;
    r.memory = memory;
    int result = fs_v4l2_ioctl(fd, VIDIOC_REQBUFS, &r);
    *count = r.count;
    *capabilities = r.capabilities;
    return result;
}

// v4l2_buffer and its planes in one; a single-planar buffer has one plane.
struct fs_v4l2_buffer {
    uint32_t type, memory, index, flags, field, sequence;
    uint32_t num_planes;
    int64_t timestamp_ns;
    int32_t fd[VIDEO_MAX_PLANES];
    uint32_t length[VIDEO_MAX_PLANES];
    uint32_t bytesused[VIDEO_MAX_PLANES];
    uint32_t data_offset[VIDEO_MAX_PLANES];
    uint32_t map_offset[VIDEO_MAX_PLANES]; // for mmap, of V4L2_MEMORY_MMAP
};

static inline void fs_v4l2_write_buffer(const struct fs_v4l2_buffer *from, struct v4l2_buffer *to,
                                        struct v4l2_plane *planes) {
    memset(to, 0, sizeof *to);
    memset(planes, 0, VIDEO_MAX_PLANES * sizeof *planes);
    to->type = from->type;
    to->memory = from->memory;
    to->index = from->index;
    if (fs_v4l2_is_output(from->type)) {
        to->field = from->field;
        to->timestamp.tv_sec = from->timestamp_ns / 1000000000;
        to->timestamp.tv_usec = from->timestamp_ns % 1000000000 / 1000;
        to->bytesused = from->bytesused[0];
        for (uint32_t i = 0; i < from->num_planes && i < VIDEO_MAX_PLANES; i++) {
            planes[i].bytesused = from->bytesused[i];
        }
    }
    if (fs_v4l2_is_multiplanar(from->type)) {
        to->m.planes = planes;
        to->length = from->num_planes;
        for (uint32_t i = 0; from->memory == V4L2_MEMORY_DMABUF && i < from->num_planes && i < VIDEO_MAX_PLANES; i++) {
            planes[i].m.fd = from->fd[i];
            planes[i].length = from->length[i];
        }
    } else if (from->memory == V4L2_MEMORY_DMABUF) {
        to->m.fd = from->fd[0];
        to->length = from->length[0];
    }
}

static inline void fs_v4l2_read_buffer(const struct v4l2_buffer *from, const struct v4l2_plane *planes,
                                       struct fs_v4l2_buffer *to) {
    to->index = from->index;
    to->flags = from->flags;
    to->field = from->field;
    to->sequence = from->sequence;
    to->timestamp_ns = (int64_t)from->timestamp.tv_sec * 1000000000 + (int64_t)from->timestamp.tv_usec * 1000;
    if (fs_v4l2_is_multiplanar(from->type)) {
        to->num_planes = from->length;
        for (uint32_t i = 0; i < from->length && i < VIDEO_MAX_PLANES; i++) {
            to->length[i] = planes[i].length;
            to->bytesused[i] = planes[i].bytesused;
            to->data_offset[i] = planes[i].data_offset;
            to->map_offset[i] = from->memory == V4L2_MEMORY_MMAP ? planes[i].m.mem_offset : 0;
        }
    } else {
        to->num_planes = 1;
        to->length[0] = from->length;
        to->bytesused[0] = from->bytesused;
        to->data_offset[0] = 0;
        to->map_offset[0] = from->memory == V4L2_MEMORY_MMAP ? from->m.offset : 0;
    }
}

static inline int fs_v4l2_buffer_call(int fd, unsigned long request, struct fs_v4l2_buffer *buffer) {
    struct v4l2_plane planes[VIDEO_MAX_PLANES];
    struct v4l2_buffer b;
    fs_v4l2_write_buffer(buffer, &b, planes);
    int result = fs_v4l2_ioctl(fd, request, &b);
    if (result == 0) fs_v4l2_read_buffer(&b, planes, buffer);
    return result;
}

// In: type, memory, index, num_planes.
static inline int fs_v4l2_query_buffer(int fd, struct fs_v4l2_buffer *buffer) {
    return fs_v4l2_buffer_call(fd, VIDIOC_QUERYBUF, buffer);
}

// In: type, memory, index, num_planes; for V4L2_MEMORY_DMABUF also fd and length of each plane; for what a program hands
// in also field, timestamp_ns and bytesused.
static inline int fs_v4l2_queue_buffer(int fd, struct fs_v4l2_buffer *buffer) {
    return fs_v4l2_buffer_call(fd, VIDIOC_QBUF, buffer);
}

// In: type, memory, num_planes.
static inline int fs_v4l2_dequeue_buffer(int fd, struct fs_v4l2_buffer *buffer) {
    return fs_v4l2_buffer_call(fd, VIDIOC_DQBUF, buffer);
}

// `flags`: O_CLOEXEC and O_RDONLY or O_RDWR. The result is the DMA buffer's descriptor or a negative errno value.
static inline int fs_v4l2_export_buffer(int fd, uint32_t type, uint32_t index, uint32_t plane, uint32_t flags) {
    struct v4l2_exportbuffer e;
    memset(&e, 0, sizeof e);
    e.type = type;
    e.index = index;
    e.plane = plane;
    e.flags = flags;
    int result = fs_v4l2_ioctl(fd, VIDIOC_EXPBUF, &e);
    return result < 0 ? result : e.fd;
}

static inline int fs_v4l2_stream_on(int fd, uint32_t type) {
    int t = (int)type;
    return fs_v4l2_ioctl(fd, VIDIOC_STREAMON, &t);
}

static inline int fs_v4l2_stream_off(int fd, uint32_t type) {
    int t = (int)type;
    return fs_v4l2_ioctl(fd, VIDIOC_STREAMOFF, &t);
}

// Events

// `id`: of a source change the input's number.
static inline int fs_v4l2_subscribe_event(int fd, uint32_t type, uint32_t id) {
    struct v4l2_event_subscription s;
    memset(&s, 0, sizeof s);
    s.type = type;
    s.id = id;
    return fs_v4l2_ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, &s);
}

// `changes`: V4L2_EVENT_SRC_CH_* of a source change, else 0.
static inline int fs_v4l2_dequeue_event(int fd, uint32_t *type, uint32_t *changes) {
    struct v4l2_event e;
    memset(&e, 0, sizeof e);
    int result = fs_v4l2_ioctl(fd, VIDIOC_DQEVENT, &e);
    *type = e.type;
    *changes = e.type == V4L2_EVENT_SOURCE_CHANGE ? e.u.src_change.changes : 0;
    return result;
}

// Controls

static inline int fs_v4l2_query_control(int fd, uint32_t id, struct v4l2_query_ext_ctrl *control) {
    memset(control, 0, sizeof *control);
    control->id = id;
    return fs_v4l2_ioctl(fd, VIDIOC_QUERY_EXT_CTRL, control);
}

// A menu's item is a name, an integer menu's a number.
static inline int fs_v4l2_query_menu(int fd, uint32_t id, uint32_t index, char name[32], int64_t *number) {
    struct v4l2_querymenu m;
    memset(&m, 0, sizeof m);
    m.id = id;
    m.index = index;
    int result = fs_v4l2_ioctl(fd, VIDIOC_QUERYMENU, &m);
    memcpy(name, m.name, 32);
    memcpy(number, m.name, sizeof *number);
    return result;
}

static inline int fs_v4l2_control_call(int fd, unsigned long request, struct v4l2_ext_control *control) {
    struct v4l2_ext_controls c;
    memset(&c, 0, sizeof c);
    c.which = V4L2_CTRL_WHICH_CUR_VAL;
    c.count = 1;
    c.controls = control;
    return fs_v4l2_ioctl(fd, request, &c);
}

// `wide`: a V4L2_CTRL_TYPE_INTEGER64, else one of the 32-bit types.
static inline int fs_v4l2_get_control(int fd, uint32_t id, bool wide, int64_t *value) {
    struct v4l2_ext_control c;
    memset(&c, 0, sizeof c);
    c.id = id;
    int result = fs_v4l2_control_call(fd, VIDIOC_G_EXT_CTRLS, &c);
    *value = wide ? c.value64 : c.value;
    return result;
}

static inline int fs_v4l2_set_control(int fd, uint32_t id, bool wide, int64_t *value) {
    struct v4l2_ext_control c;
    memset(&c, 0, sizeof c);
    c.id = id;
    if (wide) c.value64 = *value; else c.value = (int32_t)*value;
    int result = fs_v4l2_control_call(fd, VIDIOC_S_EXT_CTRLS, &c);
    *value = wide ? c.value64 : c.value;
    return result;
}

// `size` bytes with the ending 0: the control's elem_size to get, at most that to set.
static inline int fs_v4l2_get_text_control(int fd, uint32_t id, char *text, uint32_t size) {
    struct v4l2_ext_control c;
    memset(&c, 0, sizeof c);
    c.id = id;
    c.size = size;
    c.string = text;
    return fs_v4l2_control_call(fd, VIDIOC_G_EXT_CTRLS, &c);
}

static inline int fs_v4l2_set_text_control(int fd, uint32_t id, const char *text, uint32_t size) {
    struct v4l2_ext_control c;
    memset(&c, 0, sizeof c);
    c.id = id;
    c.size = size;
    c.string = (char *)text;
    return fs_v4l2_control_call(fd, VIDIOC_S_EXT_CTRLS, &c);
}

// Encoders

// The part of the frames that is to be encoded, from their upper left corner on.
static inline int fs_v4l2_set_encoded_size(int fd, uint32_t width, uint32_t height) {
    struct v4l2_selection s;
    memset(&s, 0, sizeof s);
    s.type = V4L2_BUF_TYPE_VIDEO_OUTPUT; // for multi-planar devices, too
    s.target = V4L2_SEL_TGT_CROP;
    s.r.width = width;
    s.r.height = height;
    int result = fs_v4l2_ioctl(fd, VIDIOC_S_SELECTION, &s);
    if (result == 0 && (s.r.left != 0 || s.r.top != 0 || s.r.width != width || s.r.height != height)) return -ERANGE;
    return result;
}

// Asks for the packets that are still inside; the last has V4L2_BUF_FLAG_LAST.
static inline int fs_v4l2_stop_encoder(int fd) {
    struct v4l2_encoder_cmd c;
    memset(&c, 0, sizeof c);
    c.cmd = V4L2_ENC_CMD_STOP;
    return fs_v4l2_ioctl(fd, VIDIOC_ENCODER_CMD, &c);
}

// Controls whose numbers are sums that Swift can't import.
enum {
    FS_V4L2_BIT_RATE = V4L2_CID_MPEG_VIDEO_BITRATE,
    FS_V4L2_GOP_SIZE = V4L2_CID_MPEG_VIDEO_GOP_SIZE,
    FS_V4L2_B_FRAMES = V4L2_CID_MPEG_VIDEO_B_FRAMES,
    FS_V4L2_FORCE_KEYFRAME = V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME,
    FS_V4L2_REPEAT_HEADERS = V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER,
    FS_V4L2_H264_I_PERIOD = V4L2_CID_MPEG_VIDEO_H264_I_PERIOD,
    FS_V4L2_H264_PROFILE = V4L2_CID_MPEG_VIDEO_H264_PROFILE,
    FS_V4L2_H264_I_QP = V4L2_CID_MPEG_VIDEO_H264_I_FRAME_QP,
    FS_V4L2_H264_P_QP = V4L2_CID_MPEG_VIDEO_H264_P_FRAME_QP,
    FS_V4L2_HEVC_I_QP = V4L2_CID_MPEG_VIDEO_HEVC_I_FRAME_QP,
    FS_V4L2_HEVC_P_QP = V4L2_CID_MPEG_VIDEO_HEVC_P_FRAME_QP,
    FS_V4L2_FWHT_I_QP = V4L2_CID_FWHT_I_FRAME_QP,
    FS_V4L2_FWHT_P_QP = V4L2_CID_FWHT_P_FRAME_QP,
    FS_V4L2_JPEG_QUALITY = V4L2_CID_JPEG_COMPRESSION_QUALITY,
};
