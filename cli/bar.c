#include "bar.h"
#include "units.h"

#include <unistd.h>

void print_bar(FILE *file, double share, int width) {
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    int filled = (int)(8 * width * share + 0.5);
    for (int i = 0; i < width; i++) {
        int part = filled - 8 * i;
        fputs(eighths[part < 0 ? 0 : part > 8 ? 8 : part], file);
    }
}

Progress progress_begin(size_t total, const char *unit) {
    return (Progress){
        .total = total, .unit = unit, .start = clock_seconds(), .visible = isatty(STDERR_FILENO)};
}

void progress_update(Progress *progress, size_t done) {
    double now = clock_seconds(), elapsed = now - progress->start;
    if (!progress->visible || now - progress->drawn < 0.1) return;
    progress->drawn = now;
    double share = (double)done / (double)progress->total;
    fputs("\r▕", stderr);
    print_bar(stderr, share, 30);
    fprintf(stderr, "▏%3.0f%%  %s %s/s  %s left \033[K", 100 * share,
            number_text((double)done / elapsed).text, progress->unit,
            duration_text(share > 0 ? elapsed / share - elapsed : 0).text);
}

void progress_end(Progress *progress) {
    if (progress->visible) fputs("\r\033[K", stderr);
}
