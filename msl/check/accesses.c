#include "checker_parts.h"
#include "types.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* In the SIMT runtime's own memory, which the language's functions use. */
static bool of_runtime(const Checker *c, const void *address, size_t bytes) {
    return block_within(address, bytes, c->runtime.threads, c->runtime.thread_bytes) ||
           block_within(address, bytes, c->arguments, SIMT_ARGUMENTS * sizeof *c->arguments) ||
           block_within(address, bytes, &simt_thread, sizeof simt_thread);
}

static void check_wild(Checker *c, const char *address, size_t bytes, uint32_t code, bool writes) {
    if (of_runtime(c, address, bytes)) return;
    bool in_library =
        block_within(address, bytes, c->library, (size_t)(c->library_end - c->library));
    if (in_library && (!writes || c->starts_static)) return;
    if (!in_library) {
        checker_stop(c, code,
                     writes ? "writes where no memory of the kernel is: a null or wild pointer"
                            : "reads where no memory of the kernel is: a null or wild pointer");
        return;
    }
    Witness at = witness_here(code, true, false);
    Finding *finding = findings_add(c->findings, FINDING_CONST, &at);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail, "writes to a program-scope constant");
    simt_stop("wrote to a program-scope constant");
}

/* The access goes on, to memory that is there for it. */
static void report_bounds(Checker *c, const Block *block, const char *address, size_t bytes,
                          uint32_t code, bool writes) {
    Witness at = witness_here(code, writes, false);
    Finding *finding = finding_of_access(c, FINDING_OUT_OF_BOUNDS, block, &at, NULL);
    if (finding) {
        finding->offset = address - (const char *)block->start;
        finding->bytes = bytes;
    }
    char *page = (char *)((uintptr_t)address / c->page * c->page);
    if (mprotect(page, (size_t)(address - page) + bytes, PROT_READ | PROT_WRITE) != 0)
        checker_stop(c, code, "has made too many accesses out of bounds");
}

static bool any_unwritten(const unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (written[i] == UNWRITTEN) return true;
    return false;
}

static void mark_written(unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        written[i] &= WRITTEN;
}

/* A copy, and a private struct as an argument, may take along padding that nothing wrote, but not
 * nothing else. */
static bool all_unwritten(const unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (written[i] != UNWRITTEN) return false;
    return bytes > 0;
}

static void report_private(Checker *c, const UnwrittenRead *read) {
    const Function *function = symbols_function(c->symbols, read->at.code);
    ptrdiff_t from = read->address - read->frame;
    Block block = {.name = "", .index = -1, .space = SPACE_PRIVATE};
    int line = 0;
    for (size_t i = 0; function && i < function->count; i++) {
        const Local *local = &function->locals[i];
        if (from < local->from || from >= local->from + (ptrdiff_t)local->size) continue;
        snprintf(block.name, sizeof block.name, "%s", local->name);
        block.size = local->size;
        line = local->line;
        from -= local->from;
        break;
    }
    Finding *finding = finding_of_access(c, FINDING_UNWRITTEN, &block, &read->at, NULL);
    if (!finding) return;
    finding->offset = line ? from : 0;
    finding->bytes = read->bytes;
    finding->other.place.line = line;
}

void finish_read(Checker *c) {
    const UnwrittenRead *read = &c->unwritten_read;
    const Block *block = read->address ? block_find(c, read->address) : NULL;
    if (block) {
        Finding *finding = finding_of_access(c, FINDING_UNWRITTEN, block, &read->at, NULL);
        ptrdiff_t offset = read->address - (const char *)block->start;
        if (finding) block_locate(block, finding, offset, read->bytes);
    } else if (read->address) {
        report_private(c, read);
    }
    c->unwritten_read.address = NULL;
}

/* A bit field is set so: what shares its bytes is read, and all of them are written at once. So
 * the next access decides about a read. */
static void reads_unwritten(Checker *c, const char *address, size_t bytes, uint32_t code,
                            unsigned use, const char *frame) {
    c->unwritten_read = (UnwrittenRead){address, bytes, frame, witness_here(code, false, false)};
    if (use & (COPY | ATOMIC) || !symbols_have_bit_fields(c->symbols)) finish_read(c);
}

static void decide_read(Checker *c, const char *address, size_t bytes, unsigned use) {
    UnwrittenRead *read = &c->unwritten_read;
    bool sets_bits = use == WRITE && read->address == address && read->bytes == bytes &&
                     read->at.thread == simt_thread->thread_index_in_threadgroup;
    if (sets_bits) read->address = NULL;
    finish_read(c);
}

static void check_block(Checker *c, Block *block, const char *address, size_t bytes, uint32_t code,
                        unsigned use, const char *frame) {
    bool writes = use & WRITE;
    if (!block_within(address, bytes, block->start, block->size)) {
        report_bounds(c, block, address, bytes, code, writes);
        return;
    }
    size_t offset = (size_t)(address - (const char *)block->start);
    Witness at = witness_here(code, writes, use & ATOMIC);
    if (writes && !block->writable) finding_of_access(c, FINDING_CONST, block, &at, NULL);
    const unsigned char *written = block->written + offset;
    if (use & READ && (use & COPY ? all_unwritten(written, bytes) : any_unwritten(written, bytes)))
        reads_unwritten(c, address, bytes, code, use, frame);
    if (writes && !(use & COPY)) mark_written(block->written + offset, bytes);
    if (writes && c->has_nothing)
        c->store = (Store){block, (unsigned char *)(uintptr_t)address, bytes, at};
    if (block->writable) race_check(c, block, offset, bytes, code, writes, use & ATOMIC);
    if (!(use & ATOMIC)) spinning_plain(c, address, code, writes);
}

static void check_private(Checker *c, const char *address, size_t bytes, uint32_t code,
                          unsigned use, const char *frame) {
    unsigned char *written = c->private_written + (address - c->runtime.stacks);
    if (use & READ && all_unwritten(written, bytes)) {
        reads_unwritten(c, address, bytes, code, use, frame);
        mark_written(written, bytes); /* once */
    }
    if (use & WRITE && !(use & COPY)) mark_written(written, bytes);
}

void watch_access(const void *pointer, size_t bytes, unsigned use, const void *caller,
                  const void *frame) {
    Checker *c = checker;
    if (!simt_thread || !bytes) return;
    const char *address = pointer;
    race_finish_overwrite(c);
    finish_store(c);
    decide_read(c, address, bytes, use);
    uint32_t code = (uint32_t)((const char *)caller - c->library) - 1;
    if (checker_out_of_time) checker_stop(c, code, "has not come to an end in time");
    if (address == c->atomic) {
        c->atomic = NULL;
        return;
    }
    Block *block;
    if ((size_t)(address - c->runtime.stacks) < c->runtime.stack_bytes)
        check_private(c, address, bytes, code, use, frame);
    else if ((block = block_find(c, address)))
        check_block(c, block, address, bytes, code, use, frame);
    else
        check_wild(c, address, bytes, code, use & WRITE);
}

/* Of watched memory, for each byte; NULL if it is not watched. */
static unsigned char *written_of(Checker *c, const char *address, size_t bytes) {
    if (block_within(address, bytes, c->runtime.stacks, c->runtime.stack_bytes))
        return c->private_written + (address - c->runtime.stacks);
    Block *block = block_find(c, address);
    if (!block || !block_within(address, bytes, block->start, block->size)) return NULL;
    return block->written + (address - (const char *)block->start);
}

void watch_copy(const void *to, const void *from, size_t bytes) {
    if (!simt_thread) return;
    unsigned char *target = written_of(checker, to, bytes);
    const unsigned char *source = written_of(checker, from, bytes);
    for (size_t i = 0; target && i < bytes; i++)
        target[i] = target[i] && source && source[i] == UNWRITTEN ? UNWRITTEN : target[i] & WRITTEN;
}

void watch_function(const char *low, const char *frame, const void *caller) {
    Checker *c = checker;
    if (!simt_thread) return;
    size_t offset = (size_t)(low - c->runtime.stacks);
    if (offset >= c->runtime.stack_bytes) return;
    unsigned char *written = c->private_written + offset;
    memset(written, 0, (size_t)(frame - low));
    const Function *function =
        symbols_function(c->symbols, (uint32_t)((const char *)caller - c->library) - 1);
    for (size_t i = 0; function && i < function->count; i++) {
        const Local *local = &function->locals[i];
        memset(written + (frame - low) + local->from, UNWRITTEN, local->size);
    }
}

void watch_atomic(const void *address, size_t bytes, unsigned use, const void *caller,
                  const void *frame) {
    if (!simt_thread) return;
    Block *block = block_find(checker, address);
    bool is_there = block && block_within(address, bytes, block->start, block->size);
    uint32_t code = (uint32_t)((const char *)caller - checker->library) - 1;
    if (is_there) spinning_atomic(checker, address, bytes, code, use & WRITE);
    if (is_there && use & EXCHANGE) block->is_exchanged = true;
    if (is_there && use & SWAP) block->is_swapped = true;
    checker->atomic = NULL;
    watch_access(address, bytes, use | ATOMIC, caller, frame);
    fences_atomic(checker->fences, simt_thread->thread_index_in_threadgroup, address, use & READ,
                  use & WRITE);
    if ((use & (READ | WRITE)) != (READ | WRITE)) checker->atomic = address;
}

/* What nothing wrote, where it must look like a value: not a number as half, bfloat and float. */
static const unsigned char nothing[4] = {0xE5, 0xFF, 0xE5, 0xFF};

bool watch_operand(const void *operand, size_t bytes) {
    if (!simt_thread || !bytes) return false;
    size_t offset = (size_t)((const char *)operand - checker->runtime.stacks);
    return offset < checker->runtime.stack_bytes &&
           all_unwritten(checker->private_written + offset, bytes);
}

void watch_unwritten(void *result, size_t bytes) {
    if (simt_thread) checker->has_nothing = true;
    for (size_t i = 0; simt_thread && i < bytes; i++)
        ((unsigned char *)result)[i] = nothing[i % sizeof nothing];
}

static bool is_nothing(const unsigned char *value, size_t bytes) {
    if (bytes == 2) return !memcmp(value, nothing, 2);
    for (size_t i = 0; i + sizeof nothing <= bytes; i += sizeof nothing)
        if (!memcmp(value + i, nothing, sizeof nothing)) return true;
    return false;
}

/* The store before is done: was there a value to be stored? */
void finish_store(Checker *c) {
    Store *store = &c->store;
    if (store->block && is_nothing(store->address, store->bytes)) {
        Finding *finding = finding_of_access(c, FINDING_UNWRITTEN, store->block, &store->at, NULL);
        if (finding) {
            finding->offset = store->address - store->block->start;
            finding->bytes = store->bytes;
        }
    }
    store->block = NULL;
}

static const char *without_qualifiers(const char *type) {
    static const char *const words[] = {
        "const ", "volatile ", "metal::", "__global_device ", "__global_host ", "__local "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(type, words[i], strlen(words[i])))
            return without_qualifiers(type + strlen(words[i]));
    return type;
}

/* As clang quotes it, "'x_type' (aka '__local vec<float, 4>[8]')": without the space that it is in
 * and the binder's own name, "float4[8]". */
static void name_type(const char *type, char *name, size_t size) {
    static const char also[] = "(aka ", base[] = "elements<"; /* of vec<…> */
    char own[TYPE_NAME];
    const char *alias = strstr(type, also);
    if (alias) type = alias + sizeof also - 1;
    type = without_qualifiers(type + (*type == '\''));
    bool is_base = !strncmp(type, base, sizeof base - 1);
    if (is_base) type += sizeof base - 1;
    snprintf(own, sizeof own, "%s%.*s", is_base ? "vec<" : "", (int)strcspn(type, "'"), type);
    const char *closing = strrchr(own, '>'), *extents = strchr(closing ? closing : own, '[');
    char element[TYPE_NAME], metal[TYPE_NAME];
    int length = extents ? (int)(extents - own) : (int)strlen(own);
    snprintf(element, sizeof element, "%.*s", length, own);
    type_metal_name(element, metal, sizeof metal);
    snprintf(name, size, "%s%s", metal, own + length);
}

void watch_shift(const char *type, long long count, const void *caller) {
    if (!simt_thread) return;
    Witness at =
        witness_here((uint32_t)((const char *)caller - checker->library) - 1, false, false);
    if (finding_known(checker, FINDING_SHIFT, at.code, 0, "")) return;
    Finding *finding = findings_add(checker->findings, FINDING_SHIFT, &at);
    if (!finding) return;
    char name[TYPE_NAME];
    name_type(type, name, sizeof name);
    snprintf(finding->detail, sizeof finding->detail, "shifts a %s by %lld, which has no more bits",
             name, count);
}

void watch_static(bool starts) {
    if (simt_thread) checker->starts_static = starts;
}

void watch_fence(int mem_flags, int order) {
    if (simt_thread) order_fence(checker, mem_flags, order);
}

void watch_index(const char *file, unsigned line, long long index, const char *array) {
    SimtPlace place = {NULL, file, line};
    if (!simt_thread) return;
    Finding *finding = finding_at(checker, FINDING_OUT_OF_BOUNDS, simt_thread, place);
    if (!finding) return;
    char name[TYPE_NAME];
    name_type(array, name, sizeof name);
    snprintf(finding->detail, sizeof finding->detail, "index %lld of an array of type %s", index,
             name);
}

void watch_alignment(const char *type, unsigned alignment, const void *address,
                     const void *caller) {
    const Block *block = simt_thread ? block_find(checker, address) : NULL;
    if (!block) return;
    Witness at =
        witness_here((uint32_t)((const char *)caller - checker->library) - 1, false, false);
    Finding *finding = finding_of_access(checker, FINDING_MISALIGNED, block, &at, NULL);
    if (!finding) return;
    char name[TYPE_NAME];
    name_type(type, name, sizeof name);
    snprintf(finding->detail, sizeof finding->detail,
             "takes byte %td of '%s' for a %s, which must lie at a multiple of %u bytes",
             (const char *)address - (const char *)block->start, block->name, name, alignment);
}
