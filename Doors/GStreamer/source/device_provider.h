/* Lists channels as cameras: gst-device-monitor-1.0 Video/Source. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define FS_TYPE_DEVICE_PROVIDER (fs_device_provider_get_type())
G_DECLARE_FINAL_TYPE(FsDeviceProvider, fs_device_provider, FS, DEVICE_PROVIDER, GstDeviceProvider)

#define FS_TYPE_DEVICE (fs_device_get_type())
G_DECLARE_FINAL_TYPE(FsDevice, fs_device, FS, DEVICE, GstDevice)

G_END_DECLS
