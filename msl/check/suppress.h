/* suppress.h — findings that are not wanted, by option or by a comment in the file. */
#ifndef METAL_LLM_MSL_CHECK_SUPPRESS_H
#define METAL_LLM_MSL_CHECK_SUPPRESS_H

#include "checker.h"

/* Is it KIND or KIND=NAME? */
bool is_rule(const char *rule);
/* `rules` end with NULL; NULL: there are none. */
bool suppressed_by_rules(const char *const *rules, const Finding *finding);
/* Does the line of the file end with `// metal-check: suppress RULE, RULE: why`, or is that all of
 * the line before? False of a file that cannot be read. */
bool suppressed_by_comment(const char *file, int line, const Finding *finding);

#endif
