/* checker_parts.h — what the parts of the checker share: findings.c says what was seen, blocks.c
 * places buffers and threadgroup memory, races.c knows the order of accesses, accesses.c judges
 * each one, spinning.c lets loops wait, checker.c runs a launch.
 */
#ifndef METAL_LLM_MSL_CHECK_PARTS_H
#define METAL_LLM_MSL_CHECK_PARTS_H

#include "checker.h"
#include "fences.h"
#include "watch.h"

#include <signal.h>

enum {
    SLOTS = CHECKER_SLOTS + 65, /* and threadgroup memory */
    ORDERED_SPACES = SPACE_TEXTURE + 1,
    SLOT_SHIFT = 35, /* 32 GiB: a 32-bit index that wrapped around still hits the slot */
    WRITTEN = 1,     /* of a byte that is watched; 0: of one that is not */
    UNWRITTEN = 3,
    SIGNAL_STACK_BYTES = 65536,
    POLLS = 8,
};

/* Who touched a piece of memory. All zero: nobody. */
typedef struct Access {
    uint64_t code : 24; /* offset of the instruction in the library */
    uint64_t thread : 10;
    uint64_t atomic : 1;
    uint64_t stamp : 29; /* Checker.now at that time */
} Access;

/* The last accesses to a piece of memory that are not in order with one another: two of different
 * threads, if possible of different simdgroups, stand for all. */
typedef struct Cell {
    Access writes[2], reads[2];
} Cell;

/* A buffer, or threadgroup memory. */
typedef struct Block {
    unsigned char *start; /* NULL: free */
    size_t size;
    Space space;
    bool writable;
    const SimtVariable *variable;
    int index; /* −1: a variable, or a member of an argument buffer */
    char name[64];
    const SimtTexture *texture; /* NULL: a buffer */
    uint32_t *fences;       /* [SIMT_THREADS] of a texture: when a thread saw what it had written */
    unsigned char *written; /* [size] WRITTEN or UNWRITTEN */
    Cell *cells;            /* one for each 1 << shift bytes */
    unsigned shift;
    bool is_exchanged; /* in part, by atomic_compare_exchange: integers may stand for floats */
    bool is_swapped;   /* in part, by atomic_exchange: the heads of lists may be */
} Block;

/* A write that races with another: what was there before says whether both wrote the same. */
typedef struct Overwrite {
    Finding *finding; /* NULL: none is under way */
    const unsigned char *address;
    size_t bytes;
    unsigned char before[16];
} Overwrite;

/* A store under way, where values may be none. */
typedef struct Store {
    const Block *block; /* NULL: none is under way */
    const unsigned char *address;
    size_t bytes;
    Witness at;
} Store;

/* A read of what nothing wrote, which is a finding unless it turns out to be half of a write. */
typedef struct UnwrittenRead {
    const char *address; /* NULL: there is none */
    size_t bytes;
    const char *frame; /* of the function it is in */
    Witness at;
} UnwrittenRead;

typedef struct GroupStart {
    uint32_t stamp;
    SimtSize group;
} GroupStart;

/* A read at an instruction. */
typedef struct Poll {
    const void *address;
    uint32_t code;
} Poll;

/* What a thread has read last. */
typedef struct Spinner {
    Poll polls[POLLS]; /* all of a loop that waits */
    unsigned next;
    Poll read;
    unsigned reads; /* of that, in a row */
} Spinner;

typedef struct Spinning {
    Spinner threads[SIMT_THREADS];
    unsigned idle; /* atomics in a row that threads have read before, and found as they were */
    const void *changed; /* the last atomic that was written, NULL: none */
    uint64_t before;     /* what it held */
    size_t bytes;
} Spinning;

struct Checker {
    const Symbols *symbols;
    const char *library, *library_end;
    char *slots; /* [SLOTS] of 1 << SLOT_SHIFT bytes, with the blocks in them */
    Block blocks[SLOTS];
    size_t page;

    char scratch_names[SIMT_BUFFERS][64];

    SimtMemory runtime;
    unsigned char *private_written; /* for each byte of the stacks: 0, WRITTEN or UNWRITTEN */
    void *const *arguments;
    unsigned simd_width;
    const char *atomic; /* here the next access is part of an atomic one that was checked */

    uint32_t now;                     /* counts barriers and threadgroups */
    uint32_t group_stamp;             /* when the running threadgroup started */
    uint32_t barrier[ORDERED_SPACES]; /* the last barrier of the threadgroup, by space */
    uint32_t any_barrier;             /* the last one, whatever it orders */
    uint32_t simdgroup_barrier[SIMT_THREADS][ORDERED_SPACES];
    GroupStart *groups; /* of this launch */
    size_t group_count, group_capacity;
    Fences *fences;

    Spinning spinning;
    Overwrite overwrite;
    Store store;
    UnwrittenRead unwritten_read;
    bool has_nothing;   /* a simd function has given a lane what nothing wrote */
    bool starts_static; /* a constant inside of a function gets its value, once */
    Findings *findings;
    char signal_stack[SIGNAL_STACK_BYTES];
};

extern Checker *checker; /* the running one */
extern volatile sig_atomic_t checker_out_of_time;

/* --- findings.c --- */

/* When the threadgroup started in which the clock stood there. */
const GroupStart *group_of_stamp(const Checker *checker, uint32_t stamp);
/* The running thread, at an instruction. */
Witness witness_here(uint32_t code, bool writes, bool atomic);
Witness witness_earlier(const Checker *checker, Access access, bool writes);
/* A pair of instructions is reported once for each memory, in either order. NULL: not yet. */
Finding *finding_known(Checker *checker, FindingKind kind, uint32_t code, uint32_t other,
                       const char *name);
/* Of a thread at a line of the source. NULL if this kind is known there, or if there are too many.
 */
Finding *finding_at(Checker *checker, FindingKind kind, const SimtThread *thread, SimtPlace place);
/* NULL if it is known, or if there are too many. `other` may be NULL. */
Finding *finding_of_access(Checker *checker, FindingKind kind, const Block *block,
                           const Witness *at, const Witness *other);
/* The run cannot go on after this. */
void checker_stop(Checker *checker, uint32_t code, const char *detail);

/* --- blocks.c --- */

void *block_reserve(size_t size, int protection);
size_t block_cell_bytes(const Block *block);
/* Where a variable, or [[threadgroup(index)]], lies; NULL if there is no room. */
void *block_place(void *checker, const SimtVariable *variable, unsigned index, size_t size);
/* NULL if the address is in no slot. */
Block *block_find(Checker *checker, const char *address);
bool block_within(const void *address, size_t bytes, const void *start, size_t size);
/* Where in the block a finding's access is: of a texture it names the texel. */
void block_locate(const Block *block, Finding *finding, ptrdiff_t offset, size_t bytes);

/* --- texels.c --- */

void texel_used(void *checker, const SimtTexture *texture, const void *texel, size_t bytes,
                unsigned use, const void *caller);
void texel_outside(void *checker, const SimtTexture *texture, const SimtPosition *at, unsigned use,
                   const void *caller);

/* --- accesses.c --- */

/* Before anything else is looked at, and after the last access. */
void finish_store(Checker *checker);
/* The same for a read of what nothing wrote. */
void finish_read(Checker *checker);

/* --- spinning.c: a loop that waits lets other threads run, unless none will ever end it --- */

void spinning_group_starts(Checker *checker);
/* The running thread is about to do this; others may run first. */
void spinning_atomic(Checker *checker, const void *address, size_t bytes, uint32_t code,
                     bool writes);
void spinning_plain(Checker *checker, const void *address, uint32_t code, bool writes);

/* --- races.c --- */

void order_group_starts(void *checker, SimtSize group);
void order_threadgroup_barrier(void *checker, int mem_flags);
void order_simdgroup_barrier(void *checker, unsigned simdgroup, int mem_flags);
void race_check(Checker *checker, Block *block, size_t offset, size_t bytes, uint32_t code,
                bool writes, bool atomic);
/* A thread's fence, with the mem_flags and the memory_order of <metal_stdlib>. */
void order_fence(Checker *checker, int mem_flags, int order);
void order_texture_fence(void *checker, const SimtTexture *texture);
/* Before anything else is looked at: the write that raced is done. */
void race_finish_overwrite(Checker *checker);

#endif
