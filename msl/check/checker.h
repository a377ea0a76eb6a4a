/* checker.h — watches every load and store of a kernel on the SIMT runtime.
 *
 * The kernel is compiled with clang's (kernel) address sanitizer, which puts a call before every
 * access; the calls come here instead of to the sanitizer's runtime. For each piece of memory the
 * checker knows who wrote and who read it last. Two accesses of different threads are in order only
 * if Metal's memory model says so: a barrier of the threadgroup or simdgroup between them whose
 * mem_flags name that memory.
 */
#ifndef METAL_LLM_MSL_CHECK_CHECKER_H
#define METAL_LLM_MSL_CHECK_CHECKER_H

#include "symbols.h"
#include "textures.h"

/* The first three are ordered by barriers, each by its own mem_flags. */
typedef enum Space {
    SPACE_DEVICE,
    SPACE_THREADGROUP,
    SPACE_TEXTURE,
    SPACE_CONSTANT,
    SPACE_PRIVATE,
} Space;

typedef enum FindingKind {
    FINDING_RACE,
    FINDING_OUT_OF_BOUNDS,
    FINDING_UNWRITTEN,     /* a read of memory that nothing wrote */
    FINDING_CONST,         /* a write to what may only be read */
    FINDING_BARRIER,       /* not reached by all */
    FINDING_INACTIVE_LANE, /* a read from a lane that takes no part */
    FINDING_ORDER,         /* another order of the threads, another result */
    FINDING_FAULT,         /* what ended the run: a crash, or no end in time */
    FINDING_MISALIGNED,    /* an access at an address that its type does not allow */
    FINDING_NEVER_WRITTEN, /* part of an output that no thread wrote */
    FINDING_SHIFT,         /* by the width of the type or more */
    FINDING_DISPATCH,      /* a launch that Metal would refuse, or that is hardly meant */
    FINDING_KINDS,
} FindingKind;

/* An error is wrong on some GPU. A warning works on today's, or may be meant. A note is no finding:
 * it leaves the exit status as it is. */
typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE } Severity;

/* An access, or a thread at a place. */
typedef struct Witness {
    uint32_t code; /* offset of the instruction in the library, 0: `place` is known already */
    Place place;
    SimtSize group;
    unsigned thread; /* thread_index_in_threadgroup */
    bool writes, atomic;
} Witness;

typedef struct Finding {
    FindingKind kind;
    Severity severity;
    Witness at, other; /* `other` of a race: the access before */
    Space space;
    char name[64];     /* of the buffer or variable, empty if there is none */
    int index;         /* of [[buffer(n)]] and its like, −1: a variable, or a member */
    size_t size;       /* bytes of that memory */
    ptrdiff_t offset;  /* of the access in it: may be negative, or past its end */
    size_t bytes;      /* of the access */
    char part[48];     /* of a texture: the texel, in words */
    bool same_value;   /* of a race of two writes: they wrote the same */
    bool weak_barrier; /* of a race: a barrier stands between the two, without the mem_flags */
    char detail[256];  /* what the above cannot say, in words */
} Finding;

enum { FINDINGS = 256, FINDING_LOG = 1 << 16, FINDING_FILES = 16384 };

/* All that was seen, in isolated_memory(): they outlive the process that the kernel runs in. Zeros:
 * none. */
typedef struct Findings {
    Finding list[FINDINGS];
    size_t count;
    char files[FINDING_FILES]; /* names that places point to */
    size_t files_used;
    bool stopped;          /* the checker itself ended the process */
    char log[FINDING_LOG]; /* what the kernel logged */
    bool log_is_closed;    /* no more of it is wanted */
} Findings;

/* One more, NULL if there are too many already. */
Finding *findings_add(Findings *findings, FindingKind kind, const Witness *at);
/* Fill in places and severities; what has no place of its own is at the kernel's. */
void findings_resolve(Findings *findings, const Symbols *symbols, Place kernel);

/* One at a time: the compiled kernel calls functions, not objects. */
typedef struct Checker Checker;

/* `library`: the dlopened kernel's lowest and highest address. Symbols and findings are kept by the
 * caller. NULL when there is no room for the address space that it reserves. */
Checker *checker_new(Findings *findings, const Symbols *symbols, const char *library,
                     const char *library_end);
void checker_free(Checker *checker); /* NULL is fine */

/* Buffers and textures have slots below this: [[buffer(n)]] has slot n, all else what is left. */
enum { CHECKER_SLOTS = SIMT_BUFFERS + 256 };

/* Memory for a buffer, between wide margins; `index` is that of [[buffer(index)]], −1 of others. */
unsigned char *checker_buffer(Checker *checker, unsigned slot, int index, const char *name,
                              size_t size, Space space, bool writable);
/* The same for the texels of [[texture(index)]]: texture->texels, which is to be kept. */
unsigned char *checker_texture(Checker *checker, unsigned slot, int index, const char *name,
                               SimtTexture *texture, bool writable);
/* What is there before a launch: a copy of `data`, or if that is NULL what nobody wrote. */
void checker_fill(Checker *checker, unsigned slot, const void *data);
/* The same for a part of it. */
void checker_put(Checker *checker, unsigned slot, size_t offset, const void *data, size_t bytes);

/* For each byte whether anything wrote it since it was filled. */
bool checker_is_written(const Checker *checker, unsigned slot, size_t byte);

/* After a launch: a number for the thread that wrote a byte last, 0 if none did. */
uint64_t checker_writer(const Checker *checker, unsigned index, size_t byte);
/* Does the kernel change a buffer by atomic_compare_exchange? */
bool checker_is_exchanged(const Checker *checker, unsigned index);
/* By atomic_exchange? */
bool checker_is_swapped(const Checker *checker, unsigned index);

/* What [[threadgroup(index)]] is called in findings. */
void checker_name_scratch(Checker *checker, unsigned index, const char *name);

/* Run a launch under watch; `launch->arguments` hold the checker's buffers, `seconds` is how long
 * it may take. False and one line in `error` if it could not even start; what else went wrong is a
 * finding, and *ended says whether it kept the launch from its end. */
bool checker_run(Checker *checker, Simt *simt, SimtLaunch *launch, unsigned seconds, bool *ended,
                 char *error, size_t error_size);

#endif
