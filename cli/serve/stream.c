#include "stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 16 << 10 }; /* bytes that are sent at once */

struct Stream {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    char *bytes; /* [size] that are not sent yet */
    size_t size, capacity;
    bool done;      /* nothing more comes */
    bool abandoned; /* nothing more is wanted */
    unsigned ping;
    void (*work)(void *state, Stream *stream);
    void (*release)(void *state);
    void *state;
};

static void *run(void *user) {
    Stream *stream = user;
    stream->work(stream->state, stream);
    pthread_mutex_lock(&stream->mutex);
    stream->done = true;
    pthread_cond_signal(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
    return NULL;
}

Stream *stream_start(void (*work)(void *state, Stream *stream), void (*release)(void *state),
                     void *state, unsigned ping) {
    Stream *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    stream->work = work;
    stream->release = release;
    stream->state = state;
    stream->ping = ping;
    pthread_mutex_init(&stream->mutex, NULL);
    pthread_cond_init(&stream->changed, NULL);
    if (!pthread_create(&stream->thread, NULL, run, stream)) return stream;
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
    return NULL;
}

void stream_free(Stream *stream) {
    if (!stream) return;
    pthread_mutex_lock(&stream->mutex);
    stream->abandoned = true;
    pthread_mutex_unlock(&stream->mutex);
    pthread_join(stream->thread, NULL);
    stream->release(stream->state);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    free(stream->bytes);
    free(stream);
}

/* --- the side that makes it --- */

static bool reserve(Stream *stream, size_t more) {
    size_t wanted = stream->size + more;
    if (wanted <= stream->capacity) return true;
    char *larger = realloc(stream->bytes, 2 * wanted);
    if (!larger) return false;
    stream->bytes = larger;
    stream->capacity = 2 * wanted;
    return true;
}

static void append(Stream *stream, const char *text, size_t size) {
    memcpy(stream->bytes + stream->size, text, size);
    stream->size += size;
}

bool stream_send(Stream *stream, const char *data) {
    size_t size = strlen(data);
    pthread_mutex_lock(&stream->mutex);
    bool wanted = !stream->abandoned && reserve(stream, size + 8);
    if (wanted) {
        append(stream, "data: ", 6);
        append(stream, data, size);
        append(stream, "\n\n", 2);
        pthread_cond_signal(&stream->changed);
    }
    pthread_mutex_unlock(&stream->mutex);
    return wanted;
}

bool stream_is_wanted(Stream *stream) {
    pthread_mutex_lock(&stream->mutex);
    bool wanted = !stream->abandoned;
    pthread_mutex_unlock(&stream->mutex);
    return wanted;
}

/* --- the side that sends it --- */

/* False if nothing has come in time. */
static bool wait_for_bytes(Stream *stream) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += stream->ping;
    while (!stream->size && !stream->done)
        if (pthread_cond_timedwait(&stream->changed, &stream->mutex, &until)) return false;
    return true;
}

static size_t take(Stream *stream, char *bytes, size_t most) {
    size_t size = stream->size < most ? stream->size : most;
    memcpy(bytes, stream->bytes, size);
    memmove(stream->bytes, stream->bytes + size, stream->size - size);
    stream->size -= size;
    return size;
}

static ssize_t read_stream(void *user, uint64_t position, char *bytes, size_t most) {
    (void)position;
    static const char comment[] = ": ping\n\n";
    Stream *stream = user;
    ssize_t result = MHD_CONTENT_READER_END_OF_STREAM;
    pthread_mutex_lock(&stream->mutex);
    bool came = wait_for_bytes(stream);
    if (stream->size)
        result = (ssize_t)take(stream, bytes, most);
    else if (!came && most >= sizeof comment - 1)
        memcpy(bytes, comment, (size_t)(result = sizeof comment - 1));
    pthread_mutex_unlock(&stream->mutex);
    return result;
}

struct MHD_Response *stream_response(Stream *stream) {
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, stream, NULL);
    if (!response) return NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx hands it on at once */
    return response;
}
