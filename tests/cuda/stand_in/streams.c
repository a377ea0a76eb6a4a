/* streams.c — streams, events and graphs: what waits for what. */
#include "stand_in.h"

#include <stdlib.h>
#include <string.h>

typedef struct Work {
    struct Work *next;
    void (*run)(const void *data);
    size_t bytes;
    _Alignas(16) char data[];
} Work;

typedef struct WorkList {
    Work *first, **end;
} WorkList;

struct CUstream_st {
    WorkList queue;
    uint64_t queued, done;
    CUgraph capturing; /* NULL: work is queued */
    CUstream next;     /* of all streams */
};

/* What a stream had been given when it was recorded. */
struct CUevent_st {
    CUstream stream;
    uint64_t position;
    unsigned flags;
};

struct CUgraph_st {
    WorkList list;
};

struct CUgraphExec_st {
    WorkList list;
};

static CUstream streams;

/* --- lists --- */

static void start_list(WorkList *list) {
    *list = (WorkList){NULL, &list->first};
}

static void append(WorkList *list, void (*run)(const void *data), const void *data, size_t bytes) {
    Work *work = malloc(sizeof *work + bytes);
    if (!work) stand_in_complain("out of memory");
    *work = (Work){.run = run, .bytes = bytes};
    memcpy(work->data, data, bytes);
    *list->end = work;
    list->end = &work->next;
}

static void free_list(WorkList *list) {
    for (Work *work = list->first, *next; work; work = next) {
        next = work->next;
        free(work);
    }
}

/* --- streams --- */

static void run_first(CUstream stream) {
    Work *work = stream->queue.first;
    stream->queue.first = work->next;
    if (!work->next) stream->queue.end = &stream->queue.first;
    stream->done++;
    work->run(work->data);
    free(work);
}

static void run_until(CUstream stream, uint64_t position) {
    while (stream->done < position)
        run_first(stream);
}

void stand_in_finish(void) {
    for (CUstream stream = streams; stream; stream = stream->next)
        run_until(stream, stream->queued);
}

void stand_in_queue(CUstream stream, void (*run)(const void *data), const void *data,
                    size_t bytes) {
    stand_in_need("stream", stream);
    if (!stream->capturing) stream->queued++;
    append(stream->capturing ? &stream->capturing->list : &stream->queue, run, data, bytes);
}

static void forbid_capture(CUstream stream, const char *function) {
    stand_in_need("stream", stream);
    if (stream->capturing) stand_in_complain("%s while the stream is captured", function);
}

int cuStreamCreate(CUstream *stream, unsigned flags) {
    CALL_IN_CONTEXT();
    if (flags > CUDA_STREAM_NON_BLOCKING) stand_in_complain("cuStreamCreate: flags %u", flags);
    *stream = stand_in_new("stream", sizeof **stream);
    **stream = (struct CUstream_st){.next = streams};
    start_list(&(*stream)->queue);
    streams = *stream;
    return 0;
}

int cuStreamDestroy_v2(CUstream stream) {
    CALL_IN_CONTEXT();
    forbid_capture(stream, __func__);
    run_until(stream, stream->queued);
    CUstream *link = &streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    stand_in_free("stream", stream);
    return 0;
}

/* Here and below an error is one of the work that was waited for: it is over, too. */
int cuStreamSynchronize(CUstream stream) {
    int result = stand_in_call(__func__);
    stand_in_need_context(__func__);
    forbid_capture(stream, __func__);
    run_until(stream, stream->queued);
    return result;
}

/* --- events --- */

int cuEventCreate(CUevent *event, unsigned flags) {
    CALL_IN_CONTEXT();
    *event = stand_in_new("event", sizeof **event);
    **event = (struct CUevent_st){.flags = flags};
    return 0;
}

int cuEventDestroy_v2(CUevent event) {
    CALL_IN_CONTEXT();
    stand_in_free("event", event);
    return 0;
}

int cuEventRecord(CUevent event, CUstream stream) {
    CALL_IN_CONTEXT();
    forbid_capture(stream, __func__);
    stand_in_need("event", event);
    event->stream = stream;
    event->position = stream->queued;
    return 0;
}

/* One that was never recorded is over. */
static void wait_for(const struct CUevent_st *event) {
    if (event->stream) run_until(event->stream, event->position);
}

static void run_wait(const void *event) {
    wait_for(event);
}

int cuEventSynchronize(CUevent event) {
    int result = stand_in_call(__func__);
    stand_in_need_context(__func__);
    stand_in_need("event", event);
    wait_for(event);
    return result;
}

int cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
    CALL_IN_CONTEXT();
    stand_in_need("event", event);
    if (flags) stand_in_complain("cuStreamWaitEvent: flags %u", flags);
    stand_in_queue(stream, run_wait, event, sizeof *event);
    return 0;
}

int cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    CALL_IN_CONTEXT();
    stand_in_need("event", start);
    stand_in_need("event", end);
    if ((start->flags | end->flags) & CUDA_EVENT_DISABLE_TIMING)
        stand_in_complain("cuEventElapsedTime of an event without timing");
    if (!start->stream || !end->stream || end->stream->done < end->position)
        stand_in_complain("cuEventElapsedTime of an event that is not over");
    *milliseconds = 0.001f * (float)(end->position - start->position);
    return 0;
}

/* --- graphs --- */

int cuStreamBeginCapture_v2(CUstream stream, int mode) {
    CALL_IN_CONTEXT();
    forbid_capture(stream, __func__);
    if (mode != CUDA_CAPTURE_RELAXED) stand_in_complain("a capture of mode %d", mode);
    stream->capturing = stand_in_new("graph", sizeof *stream->capturing);
    start_list(&stream->capturing->list);
    return 0;
}

int cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    stand_in_need("stream", stream);
    *graph = stream->capturing;
    stream->capturing = NULL;
    int failed = stand_in_call(__func__);
    if (!*graph) stand_in_complain("cuStreamEndCapture without a capture");
    if (!failed) return 0;
    cuGraphDestroy(*graph); /* as CUDA does with one that is not valid */
    *graph = NULL;
    return failed;
}

int cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
    CALL_IN_CONTEXT();
    stand_in_need("graph", graph);
    if (flags) stand_in_complain("cuGraphInstantiateWithFlags: flags %llu", flags);
    *exec = stand_in_new("graph to run", sizeof **exec);
    start_list(&(*exec)->list);
    for (const Work *work = graph->list.first; work; work = work->next)
        append(&(*exec)->list, work->run, work->data, work->bytes);
    return 0;
}

static void run_graph(const void *data) {
    CUgraphExec exec = *(const CUgraphExec *)data;
    stand_in_need("graph to run", exec);
    for (const Work *work = exec->list.first; work; work = work->next)
        work->run(work->data);
}

int cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    CALL_IN_CONTEXT();
    forbid_capture(stream, __func__);
    stand_in_need("graph to run", exec);
    stand_in_queue(stream, run_graph, &exec, sizeof exec);
    return 0;
}

int cuGraphExecDestroy(CUgraphExec exec) {
    CALL_IN_CONTEXT();
    stand_in_finish(); /* CUDA lets what was launched end first */
    free_list(&exec->list);
    stand_in_free("graph to run", exec);
    return 0;
}

int cuGraphDestroy(CUgraph graph) {
    CALL_IN_CONTEXT();
    free_list(&graph->list);
    stand_in_free("graph", graph);
    return 0;
}
