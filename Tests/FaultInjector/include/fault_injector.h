// Makes a chosen call of a chosen function of the C library fail, in the program that this is linked into.
//
// The program's own definition of a function comes before the library's, so its calls, and those of Swift's overlay of the
// library on its behalf, come here first. Calls that the library or Swift's runtime make for themselves do not count. A
// call made by syscall(2) has the system call's name: memfd_create, fallocate, accept4, futex_wait, futex_wake, futex_waitv.
#pragma once

/// How many functions can be made to fail; 0 in a build with a sanitizer, which needs them itself.
int fault_functions(void);
/// The name of one of them, from 0.
const char *fault_function(int index);

/// From now on calls are counted, from 1, and call `number` of `function` (none if 0) fails with `error`.
void fault_begin(int function, int number, int error);
/// Calls are neither counted nor failed any more. Returns whether the call that was to fail was made.
int fault_end(void);
/// How many calls of a function were counted since `fault_begin`.
int fault_count(int function);

/// From now on no sleep on a shared futex word ends by its time: what nobody wakes sleeps for ever. Returns 0 where that
/// can't be had.
int fault_sleep_for_ever(void);

/// fork(2), which Swift hides.
int fault_fork(void);

/// Whether the calling thread, and those that it makes from here on, are left alone.
void fault_spare(int spared);
