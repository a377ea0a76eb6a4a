/* units.h — quantities as people read them, in a struct that can be used inside a printf. */
#ifndef METAL_LLM_UNITS_H
#define METAL_LLM_UNITS_H

typedef struct UnitText {
    char text[32];
} UnitText;

/* Three significant digits, never an exponent: "4.21", "78.4", "1284". */
UnitText number_text(double value);
/* With a decimal prefix before the unit: "498 MB", "62.1 GB/s", "124 M". */
UnitText scaled_text(double value, const char *unit);
/* "3.20 ms", "1.25 s" */
UnitText duration_text(double seconds);

/* Seconds since some fixed moment. */
double clock_seconds(void);

#endif
