/* stand_in.h — Metal without a Mac: what a test asks of it, and what its parts share.
 *
 * The classes in this folder take the place of the part of Foundation, Metal and Metal Performance
 * Shaders that src/device/metal_*.c calls, as real Objective-C classes under GCC's runtime. They
 * compile nothing: a library finds the kernels that the SIMT target already has, a matrix product
 * goes to OpenBLAS. They are strict: what Metal's own validation refuses, and what it would let
 * pass but this program has no business to do, is noted as a complaint, and a test with a complaint
 * fails. Not for several threads at once.
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stddef.h>

/* --- for tests --- */

/* All complaints so far, a line each; "" if there are none. */
const char *stand_in_complaints(void);
void stand_in_forget_complaints(void);
/* Objects that nobody has released, "2 MTLBuffer, 1 NSString"; "" if there are none. */
const char *stand_in_objects(void);
/* How many of a class were ever made. */
size_t stand_in_made(const char *class);
/* Threadgroups in x, y and z of the last dispatch, and threads of each. */
void stand_in_last_sizes(size_t sizes[6]);
/* The next use of this fails as it can on a Mac: "device", "family", "MPS", "queue", "buffer", "no
 * copy", "math mode", "function", "pipeline", "width", "command buffer", "encoder", "descriptor",
 * "multiplication", "matrix", "commands". Or every use: of "matrix units",
 * or of a kernel, "result of gelu_forward". For a program that is started, STAND_IN_BREAK in its
 * environment. */
void stand_in_break(const char *what);
/* Of every device: numbers of MTLGPUFamily, 0 behind the last; NULL: those of an M1. A kernel that
 * takes more is refused when its pipeline is made. */
void stand_in_set_families(const long *families);
/* Of every device, in bytes. */
void stand_in_set_limits(size_t max_buffer, size_t working_set);

/* At the program's end, complaints and objects that are left are printed, and its exit status is
 * STAND_IN_FAILED. */
enum { STAND_IN_FAILED = 70 };

/* --- for the classes --- */

void stand_in_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* True once after stand_in_break(what). */
int stand_in_is_broken(const char *what);
/* True from stand_in_break(what) on. */
int stand_in_lacks(const char *what);
/* True while what a kernel writes is to be wrong. */
int stand_in_spoils(const char *kernel);
/* Whether devices have this family. */
int stand_in_has_family(long family);

#endif
