/* inspect_print.c — what is seen inside the model, in a terminal. */
#include "inspect.h"
#include "print.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LABEL = 14, CELL = 10, MARGIN = 10, WIDTH_UNKNOWN = 100 };

typedef struct Page {
    const Seen *seen;
    bool colours;
    size_t width; /* columns of the terminal */
} Page;

/* --- tokens --- */

size_t token_label(const LLMPipeline *llm, uint32_t token, size_t most, char label[256]) {
    size_t size, characters = 1, at = 0;
    const char *bytes = llm_token_bytes(llm, token, &size);
    char *out = label;
    *out++ = '"';
    while (at < size && characters + 1 < most) {
        uint32_t character;
        size_t count = utf8_decode(bytes + at, size - at, &character);
        const char *name = character == '\n' ? "\\n" : character == '\t' ? "\\t" : NULL;
        if (count == 0 || (character < 32 && !name))
            out += sprintf(out, "\\x%02X", (unsigned char)bytes[at]), characters += 4;
        else if (name)
            out += sprintf(out, "%s", name), characters += 2;
        else
            memcpy(out, bytes + at, count), out += count, characters++;
        at += count ? count : 1;
    }
    strcpy(out, at < size ? "…" : "\"");
    return characters + 1;
}

static void pad(size_t count, size_t width) {
    for (; count < width; count++)
        putchar(' ');
}

static void print_label(const Page *page, uint32_t token, size_t width) {
    char label[256];
    size_t characters = token_label(page->seen->llm, token, width, label);
    fputs(label, stdout);
    pad(characters, width);
}

/* --- heat --- */

/* From 0 to 1: how dark. Small shares are to be seen, too. */
static size_t level_of(double share, size_t levels) {
    double level = sqrt(share) * (double)levels;
    return !(level >= 1) ? 0 : level < (double)levels ? (size_t)level : levels - 1;
}

static void begin_heat(const Page *page, double share) {
    static const unsigned char ramp[] = {236, 17, 18, 24, 30, 36, 72, 114, 156, 228};
    size_t level = level_of(share, sizeof ramp);
    if (page->colours) printf("\033[48;5;%d;38;5;%dm", ramp[level], level > 5 ? 16 : 255);
}

static void end_heat(const Page *page) {
    if (page->colours) fputs("\033[0m", stdout);
}

static void print_heat(const Page *page, double share) {
    static const char *const shades[] = {"··", "░░", "▒▒", "▓▓", "██"};
    begin_heat(page, share);
    fputs(page->colours ? "  " : shades[level_of(share, 5)], stdout);
    end_heat(page);
}

/* The last tokens that there is room for. */
static size_t first_of_width(const Page *page, size_t cell) {
    size_t n = page->seen->tokens.count, room = (page->width - MARGIN) / cell;
    return n > room ? n - room : 0;
}

/* Positions, every fifth. */
static void print_positions(size_t first, size_t n) {
    pad(0, MARGIN);
    for (size_t s = first; s < n; s++)
        if (s % 5 == 0)
            printf("%-*zu", s + 5 < n ? 10 : 1, s);
        else if (s == first)
            pad(0, 2 * (5 - first % 5));
    putchar('\n');
}

/* --- what there is to be seen --- */

static void print_share(float logprob) {
    printf("%5.1f %%", 100 * exp((double)logprob));
}

static void print_predictions(const Page *page) {
    const LLMInspection *in = &page->seen->in;
    const LLMTokens *tokens = &page->seen->tokens;
    printf("token %*s    how likely   then\n", LABEL, "");
    for (size_t i = 0; i < tokens->count; i++) {
        printf("%5zu ", i);
        if (i) begin_heat(page, exp((double)in->logprobs[i - 1]));
        print_label(page, tokens->ids[i], LABEL);
        if (i) end_heat(page);
        fputs("  ", stdout);
        if (i)
            print_share(in->logprobs[i - 1]);
        else
            pad(0, 7);
        fputs("     ", stdout);
        for (size_t k = 0; k < in->top_count; k++) {
            LLMLogprob likely = in->top[i * in->top_count + k];
            print_label(page, likely.token, LABEL);
            print_share(likely.logprob);
            fputs(k + 1 < in->top_count ? "  " : "", stdout);
        }
        putchar('\n');
    }
}

/* A row for each layer, the mean of its heads. */
static void print_attention(const Page *page) {
    const LLMInspection *in = &page->seen->in;
    const LLMInfo *info = llm_info(page->seen->llm);
    size_t n = page->seen->tokens.count, first = first_of_width(page, 2);
    char label[256];
    token_label(page->seen->llm, page->seen->tokens.ids[in->token], 40, label);
    printf("\nattention of token %u, %s: the mean of %u heads, a column for each token\n",
           in->token, label, info->heads);
    print_positions(first, n);
    for (size_t l = 0; l < info->layers; l++) {
        printf("layer %-*zu", MARGIN - 6, l);
        for (size_t s = first; s < n; s++) {
            double sum = 0;
            for (size_t h = 0; h < info->heads; h++)
                sum += in->attention[(l * info->heads + h) * n + s];
            print_heat(page, sum / info->heads);
        }
        putchar('\n');
    }
}

static void print_head(const Page *page) {
    const LLMInspection *in = &page->seen->in;
    size_t n = page->seen->tokens.count, first = first_of_width(page, 2);
    printf("\nhead %u of layer %u: a row for each token, a column for each that it looks at\n",
           in->head.head, in->head.layer);
    print_positions(first, n);
    for (size_t t = 0; t < n; t++) {
        printf("%*zu  ", MARGIN - 2, t);
        for (size_t s = first; s < n; s++)
            print_heat(page, in->head_attention[t * n + s]);
        putchar(' ');
        print_label(page, page->seen->tokens.ids[t], LABEL);
        putchar('\n');
    }
}

/* The last layer on top, as it is nearest to the output. */
static void print_lens(const Page *page) {
    const LLMInspection *in = &page->seen->in;
    size_t n = page->seen->tokens.count, first = first_of_width(page, CELL + 1);
    printf("\nwhat each layer would say next, after each token\n%*s", MARGIN, "");
    for (size_t s = first; s < n; s++) {
        print_label(page, page->seen->tokens.ids[s], CELL);
        putchar(' ');
    }
    putchar('\n');
    for (size_t l = llm_info(page->seen->llm)->layers; l-- > 0;) {
        printf("layer %-*zu", MARGIN - 6, l);
        for (size_t s = first; s < n; s++) {
            LLMLogprob likely = in->lens[(l * n + s) * in->lens_count];
            begin_heat(page, exp((double)likely.logprob));
            print_label(page, likely.token, CELL);
            end_heat(page);
            putchar(' ');
        }
        putchar('\n');
    }
}

static bool has_colours(void) {
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(off && *off) && !(terminal && !strcmp(terminal, "dumb"));
}

static size_t terminal_width(void) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > MARGIN + CELL + 1;
    return known ? size.ws_col : WIDTH_UNKNOWN;
}

void print_seen(const Seen *seen) {
    Page page = {seen, has_colours(), terminal_width()};
    print_predictions(&page);
    if (seen->has_head)
        print_head(&page);
    else
        print_attention(&page);
    if (seen->has_lens) print_lens(&page);
}
