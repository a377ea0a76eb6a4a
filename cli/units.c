#include "units.h"

#include <stdio.h>
#include <time.h>

/* `value` and what follows it, with three significant digits. */
static UnitText with_unit(double value, const char *space, const char *prefix, const char *unit) {
    UnitText text;
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text.text, sizeof text.text, "%.*f%s%s%s", decimals, value, space, prefix, unit);
    return text;
}

UnitText number_text(double value) {
    return with_unit(value, "", "", "");
}

UnitText scaled_text(double value, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    int power = 0;
    while (value >= 999.5 && power < 4) {
        value /= 1000;
        power++;
    }
    return with_unit(value, " ", prefixes[power], unit);
}

UnitText duration_text(double seconds) {
    if (seconds < 0.9995) return with_unit(1000 * seconds, " ", "m", "s");
    return with_unit(seconds, " ", "", "s");
}

double clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
