/* metrics.c — GET /metrics, in the text form of Prometheus. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static void counter(FILE *file, const char *name, const char *help, unsigned long long value) {
    fprintf(file, "# HELP metal_llm_%s %s\n# TYPE metal_llm_%s counter\nmetal_llm_%s %llu\n", name,
            help, name, name, value);
}

static void gauge(FILE *file, const char *name, const char *help, unsigned long long value) {
    fprintf(file, "# HELP metal_llm_%s %s\n# TYPE metal_llm_%s gauge\nmetal_llm_%s %llu\n", name,
            help, name, name, value);
}

static void print_metrics(FILE *file, Server *server) {
    Metrics *metrics = &server->metrics;
    fputs("# HELP metal_llm_replies_total Replies, by the class of their status.\n"
          "# TYPE metal_llm_replies_total counter\n",
          file);
    for (int class = 2; class < METRICS_STATUSES; class++)
        fprintf(file, "metal_llm_replies_total{status=\"%dxx\"} %llu\n", class,
                (unsigned long long)metrics->replies[class]);
    counter(file, "prompt_tokens_total", "Tokens of prompts.", metrics->prompt_tokens);
    counter(file, "cached_prompt_tokens_total", "Tokens of prompts that had been computed before.",
            metrics->cached_tokens);
    counter(file, "generated_tokens_total", "Tokens that were generated.",
            metrics->generated_tokens);
    counter(file, "hang_ups_total", "Clients that left before the end of their answer.",
            metrics->hang_ups);
    gauge(file, "requests_generating", "Requests that generate, or wait for it.", server->admitted);
    gauge(file, "parallel", "Texts that can be generated at the same time.",
          server->options.parallel);
}

void answer_metrics(Exchange *exchange) {
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (file) print_metrics(file, exchange->server);
    if (file && !fclose(file))
        reply_text(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", text);
    else
        problem_memory(&exchange->problem);
    free(text);
}
