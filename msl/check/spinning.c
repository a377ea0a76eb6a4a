#include "checker_parts.h"

#include <string.h>

/* A thread reads plainly in a loop this often before it lets others run; where threads have read
 * atomics as often as that, and nothing has changed, nothing ever will. */
enum { PLAIN_READS = 256, IDLE_READS = 1 << 20 };

void spinning_group_starts(Checker *c) {
    memset(&c->spinning, 0, sizeof c->spinning);
}

/* Is it one of the thread's last few? If not, it is now. */
static bool is_known(Spinner *self, const void *address, uint32_t code) {
    for (unsigned i = 0; i < POLLS; i++)
        if (self->polls[i].address == address && self->polls[i].code == code) return true;
    self->polls[self->next++ % POLLS] = (Poll){address, code};
    return false;
}

/* Did the atomic before write something else than was there? */
static bool has_changed(const Spinning *spinning) {
    return spinning->changed && memcmp(spinning->changed, &spinning->before, spinning->bytes) != 0;
}

void spinning_atomic(Checker *c, const void *address, size_t bytes, uint32_t code, bool writes) {
    Spinning *spinning = &c->spinning;
    Spinner *self = &spinning->threads[simt_thread->thread_index_in_threadgroup];
    if (has_changed(spinning)) spinning->idle = 0;
    spinning->changed = NULL;
    if (!is_known(self, address, code))
        spinning->idle = 0;
    else if (++spinning->idle > IDLE_READS)
        checker_stop(c, code, "waits in a loop for what no thread of its threadgroup will write");
    else
        simt_yield();
    if (!writes || bytes > sizeof spinning->before) return;
    spinning->changed = address;
    spinning->bytes = bytes;
    memcpy(&spinning->before, address, bytes);
}

void spinning_plain(Checker *c, const void *address, uint32_t code, bool writes) {
    Spinning *spinning = &c->spinning;
    Spinner *self = &spinning->threads[simt_thread->thread_index_in_threadgroup];
    if (writes || (spinning->idle && !is_known(self, address, code))) spinning->idle = 0;
    if (writes) return;
    bool again = self->read.address == address && self->read.code == code;
    self->reads = again ? self->reads + 1 : 0;
    self->read = (Poll){address, code};
    if (self->reads > PLAIN_READS) simt_yield();
}
