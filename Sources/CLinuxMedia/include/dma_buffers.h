#pragma once
#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/ioctl.h>

/// DMA_HEAP_IOCTL_ALLOC (linux/dma-heap.h): a dma-buf of `size` bytes; `read_only`: no CPU may write to it, devices
/// may. Returns the descriptor or -errno.
static inline int fs_dma_heap_allocate(int heap, uint64_t size, int read_only) {
    struct dma_heap_allocation_data data = { .len = size, .fd_flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC };
    return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) < 0 ? -errno : (int)data.fd;
}

/// DMA_BUF_IOCTL_SYNC (Documentation/driver-api/dma-buf.rst): brackets the CPU's access. Returns 0 or -errno.
static inline int fs_dma_buf_sync(int fd, int end, int reads, int writes) {
    struct dma_buf_sync data = { .flags = (end ? DMA_BUF_SYNC_END : DMA_BUF_SYNC_START)
        | (reads ? DMA_BUF_SYNC_READ : 0) | (writes ? DMA_BUF_SYNC_WRITE : 0) };
    int result;
    do result = ioctl(fd, DMA_BUF_IOCTL_SYNC, &data); while (result < 0 && (errno == EINTR || errno == EAGAIN));
    return result < 0 ? -errno : 0;
}

/// DMA_BUF_SET_NAME: the name in debugfs dma_buf/bufinfo; at most 31 bytes. Returns 0 or -errno.
static inline int fs_dma_buf_set_name(int fd, const char *name) {
    return ioctl(fd, DMA_BUF_SET_NAME_B, (uint64_t)(uintptr_t)name) < 0 ? -errno : 0;
}

/// UDMABUF_CREATE (linux/udmabuf.h): a dma-buf over a memfd that has F_SEAL_SHRINK. Returns the descriptor or -errno.
static inline int fs_udmabuf_create(int udmabuf, int memfd, uint64_t offset, uint64_t size) {
    struct udmabuf_create data = {
        .memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = offset, .size = size
    };
    int fd = ioctl(udmabuf, UDMABUF_CREATE, &data);
    return fd < 0 ? -errno : fd;
}
