/* fibers.c — the threads of a threadgroup: each has a stack, and the running one switches straight
 * to another. */
#include "simt_parts.h"

#include <string.h>
#include <sys/mman.h>

/* --- switching --- */

/* Saves the callee-saved registers on the stack and its address in *save, then goes on where the
 * stack `load` was saved. */
void simt_switch_stack(void **save, void *load);

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define SYMBOL     STRING(__USER_LABEL_PREFIX__) "simt_switch_stack"

#if defined(__x86_64__)
/* A function is entered with the stack 8 bytes off a multiple of 16: the return address is on it.
 */
enum { SAVED_WORDS = 7, SAVED_ADDRESS = 6, ENTRY_BYTES = 24 };
/* A jump, not a ret: the processor predicts returns to the caller, and this one goes elsewhere. */
__asm__(".text\n.p2align 4\n.globl " SYMBOL "\n" SYMBOL ":\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\n"
        "popq %rcx\njmpq *%rcx\n");
#elif defined(__aarch64__)
enum { SAVED_WORDS = 20, SAVED_ADDRESS = 11, ENTRY_BYTES = 16 };
__asm__(".text\n.p2align 4\n.globl " SYMBOL "\n" SYMBOL ":\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
        "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\n"
        "ldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\nbr x30\n");
#else
#error "simt: no context switch for this processor"
#endif

char *simt_stack_top(const Fiber *fiber) {
    return fiber->stack + STACK_BYTES - GUARD_BYTES;
}

static void run_thread(void);

/* Stacks that lie a power of two apart would share their cache lines: each starts a little lower
 * than the one before. */
static void begin(Fiber *fiber, unsigned index) {
    char *start = simt_stack_top(fiber) - ENTRY_BYTES - index % 64 * (COLOUR_BYTES / 64 / 16 * 16);
    uintptr_t *words = (uintptr_t *)(void *)start;
    words[0] = 0; /* no return address: the end of the chain of frames */
    words -= SAVED_WORDS;
    memset(words, 0, SAVED_WORDS * sizeof *words);
    words[SAVED_ADDRESS] = (uintptr_t)run_thread;
    fiber->stack_pointer = words;
}

void simt_switch_to(Simt *simt, Fiber *from, Fiber *to) {
#ifdef SIMT_ASAN
    void **fake = from ? &from->fake_stack : &simt->fake_stack;
    if (to)
        __sanitizer_start_switch_fiber(fake, to->stack, (size_t)(simt_stack_top(to) - to->stack));
    else
        __sanitizer_start_switch_fiber(from->state == RETURNED ? NULL : fake, simt->caller_stack,
                                       simt->caller_stack_bytes);
#endif
    simt_thread = to ? &to->thread : NULL;
    if (to && !to->stack_pointer) begin(to, (unsigned)(to - simt->fibers));
    simt_switch_stack(from ? &from->stack_pointer : &simt->stack_pointer,
                      to ? to->stack_pointer : simt->stack_pointer);
#ifdef SIMT_ASAN
    if (from)
        __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
    else
        __sanitizer_finish_switch_fiber(simt->fake_stack, NULL, NULL);
#endif
}

Fiber *simt_current_fiber(void) {
    return (Fiber *)(uintptr_t)simt_thread;
}

/* --- stacks --- */

static void fill_canary(char *stack) {
    memset(stack + RESERVE_BYTES, 0xA5, CANARY_BYTES);
}

static bool canary_is_whole(const char *stack) {
    const char *canary = stack + RESERVE_BYTES;
    return (unsigned char)canary[0] == 0xA5 && !memcmp(canary, canary + 1, CANARY_BYTES - 1);
}

bool simt_make_stacks(Simt *simt, unsigned count) {
    for (; simt->stack_count < count; simt->stack_count++) {
        char *stack = simt->stacks + (size_t)simt->stack_count * STACK_BYTES + GUARD_BYTES;
        if (mprotect(stack, STACK_BYTES - GUARD_BYTES, PROT_READ | PROT_WRITE)) return false;
        simt->fibers[simt->stack_count].stack = stack;
        fill_canary(stack);
    }
    return true;
}

/* A thread that has not begun goes on where one is done, on its stack: there is nothing to switch.
 * A watcher is shown a stack for each. */
static bool takes_stack(const Simt *simt, Fiber *done, Fiber *next) {
    if (!next || next->stack_pointer || simt->launch->watcher) return false;
    char *stack = done->stack;
    done->stack = next->stack;
    next->stack = stack;
    simt_thread = &next->thread;
    return true;
}

/* What a fiber starts with. */
static void run_thread(void) {
#ifdef SIMT_ASAN
    const void **bottom = simt_running->caller_stack ? NULL : &simt_running->caller_stack;
    __sanitizer_finish_switch_fiber(NULL, bottom,
                                    bottom ? &simt_running->caller_stack_bytes : NULL);
#endif
    Simt *simt = simt_running;
    for (Fiber *self = simt_current_fiber();;) {
        simt->launch->entry(simt->launch->arguments);
        simt->returned_count++;
        simt_fiber_stops(simt, self, RETURNED);
        Fiber *next = simt_next_fiber(simt);
        if (!takes_stack(simt, self, next)) simt_switch_to(simt, self, next);
        self = next;
    }
}

void simt_check_stacks(Simt *simt) {
    SimtSize group = simt->launch->group_threads;
    for (unsigned i = 0; i < group.x * group.y * group.z; i++) {
        if (canary_is_whole(simt->fibers[i].stack)) continue;
        simt_report(simt, "a thread needs more than %d bytes of stack", SIMT_STACK_BYTES);
        fill_canary(simt->fibers[i].stack);
    }
}
