#pragma once

/// Tells the processor that this is a spin loop: the core waits some tens of cycles, and looks at memory less often.
///
/// On arm64 `isb` does that, as in Rust, libuv and jemalloc. `yield` is for cores with several threads. Nearly no Arm core
/// has these: a Raspberry Pi's does nothing at all on it. `wfe` is no choice here. It waits for another core's store to a
/// line that was loaded exclusively, and these loops also look at the clock.
static inline void fs_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#elif defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#endif
}
