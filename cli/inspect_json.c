/* inspect_json.c — what is seen inside the model, as JSON. */
#include "inspect.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- JSON --- */

static void write_character(FILE *out, const char *bytes, size_t size, uint32_t character) {
    if (character == '"' || character == '\\')
        fprintf(out, "\\%c", (int)character);
    else if (character < 32 || character == '<') /* "</script" would end what it stands in */
        fprintf(out, "\\u%04x", character);
    else
        fwrite(bytes, 1, size, out);
}

/* Bytes that are no UTF-8, such as a part of a character, are shown as \xNN. */
static void write_string(FILE *out, const char *bytes, size_t size) {
    putc('"', out);
    for (size_t at = 0, count; at < size; at += count) {
        uint32_t character = 0;
        count = utf8_decode(bytes + at, size - at, &character);
        if (count)
            write_character(out, bytes + at, count, character);
        else
            fprintf(out, "\\\\x%02X", (unsigned char)bytes[at]);
        count += !count;
    }
    putc('"', out);
}

/* −∞ has no place in JSON. */
static void write_logprob(FILE *out, float logprob) {
    fprintf(out, "%.4g", logprob > -1e4f ? (double)logprob : -1e4);
}

static void write_token(FILE *out, const Seen *seen, uint32_t token, float logprob, bool known) {
    size_t size;
    const char *bytes = llm_token_bytes(seen->llm, token, &size);
    fprintf(out, "{\"id\":%u,\"text\":", token);
    write_string(out, bytes, size);
    fputs(",\"logprob\":", out);
    if (known)
        write_logprob(out, logprob);
    else
        fputs("null", out);
    putc('}', out);
}

/* Opens a list, or goes on in it. */
static void begin_item(FILE *out, size_t index) {
    putc(index ? ',' : '[', out);
}

static void write_tokens(FILE *out, const Seen *seen) {
    size_t first = seen->in.first;
    for (size_t i = 0; i < seen->tokens.count; i++) {
        begin_item(out, i);
        bool known = i > first;
        write_token(out, seen, seen->tokens.ids[i], known ? seen->in.logprobs[i - 1 - first] : 0,
                    known);
    }
    putc(']', out);
}

/* [n][count], of positions before the first that is wanted empty lists. */
static void write_likeliest(FILE *out, const Seen *seen, const LLMLogprob *list, size_t count) {
    for (size_t i = 0; i < seen->tokens.count; i++) {
        begin_item(out, i);
        putc('[', out);
        for (size_t k = 0; k < count && i >= seen->in.first; k++, list++) {
            if (k) putc(',', out);
            write_token(out, seen, list->token, list->logprob, true);
        }
        putc(']', out);
    }
    putc(']', out);
}

static void write_log_sums(FILE *out, const Seen *seen) {
    for (size_t i = 0; i < seen->tokens.count; i++) {
        begin_item(out, i);
        if (i < seen->in.first)
            fputs("null", out);
        else
            fprintf(out, "%.6g", (double)seen->in.log_sums[i - seen->in.first]);
    }
    putc(']', out);
}

static void write_lens(FILE *out, const Seen *seen) {
    size_t layer = (seen->tokens.count - seen->in.first) * seen->in.lens_count;
    for (size_t l = 0; l < llm_info(seen->llm)->layers; l++) {
        begin_item(out, l);
        write_likeliest(out, seen, seen->in.lens + l * layer, seen->in.lens_count);
    }
    putc(']', out);
}

/* Three digits, or the 0 that most of them are. */
static void write_weight(FILE *out, float weight) {
    fprintf(out, weight < 0.0005f ? "0" : "%.3f", (double)weight);
}

/* [rows][n] */
static void write_rows(FILE *out, const float *weights, size_t rows, size_t n) {
    for (size_t t = 0; t < rows; t++) {
        begin_item(out, t);
        for (size_t s = 0; s < n; s++) {
            begin_item(out, s);
            write_weight(out, weights[t * n + s]);
        }
        putc(']', out);
    }
    putc(']', out);
}

static void write_attention(FILE *out, const Seen *seen) {
    const LLMInfo *info = llm_info(seen->llm);
    size_t n = seen->tokens.count, rows = seen->in.token_count, head = rows * n;
    fprintf(out, "{\"token\":%u,\"weights\":", seen->in.token);
    for (size_t l = 0; l < info->layers; l++) {
        begin_item(out, l);
        for (size_t h = 0; h < info->heads; h++) {
            begin_item(out, h);
            write_rows(out, seen->in.attention + (l * info->heads + h) * head, rows, n);
        }
        putc(']', out);
    }
    fputs("]}", out);
}

static void write_head(FILE *out, const Seen *seen) {
    const LLMInspection *in = &seen->in;
    size_t n = seen->tokens.count;
    fprintf(out, "{\"layer\":%u,\"head\":%u,\"weights\":", in->head.layer, in->head.head);
    write_rows(out, in->head_attention, n, n);
    putc('}', out);
}

static void write_switches(FILE *out, const LLMInspection *in) {
    fputs("{\"heads\":[", out);
    for (size_t i = 0; i < in->heads_off_count; i++)
        fprintf(out, "%s[%u,%u]", i ? "," : "", in->heads_off[i].layer, in->heads_off[i].head);
    fputs("],\"mlps\":[", out);
    for (size_t i = 0; i < in->mlps_off_count; i++)
        fprintf(out, "%s%u", i ? "," : "", in->mlps_off[i]);
    fputs("]}", out);
}

static void write_all(FILE *out, const Seen *seen) {
    const LLMInspection *in = &seen->in;
    const LLMInfo *info = llm_info(seen->llm);
    fputs("{\"model\":", out);
    write_string(out, info->name, strlen(info->name));
    fprintf(out, ",\"layers\":%u,\"heads\":%u,\"off\":", info->layers, info->heads);
    write_switches(out, in);
    fputs(",\"tokens\":", out);
    write_tokens(out, seen);
    fputs(",\"top\":", out);
    write_likeliest(out, seen, in->top, in->top_count);
    if (in->log_sums) {
        fputs(",\"log_sums\":", out);
        write_log_sums(out, seen);
    }
    if (in->lens) {
        fputs(",\"lens\":", out);
        write_lens(out, seen);
    }
    if (in->attention) {
        fputs(",\"attention\":", out);
        write_attention(out, seen);
    }
    if (in->head_attention) {
        fputs(",\"head\":", out);
        write_head(out, seen);
    }
    putc('}', out);
}

char *seen_json(const Seen *seen, LLMError *error) {
    char *text = NULL;
    size_t size = 0;
    if (error_is_set(error)) return NULL;
    FILE *out = open_memstream(&text, &size);
    if (out) write_all(out, seen);
    bool whole = out && !ferror(out);
    whole = out && fclose(out) == 0 && whole;
    if (whole) return text;
    free(text);
    error_memory(error, size + 1);
    return NULL;
}
