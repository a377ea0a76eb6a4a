/* strict — the strict check as a filter.
 *
 *   clang++ --config msl/strict/flags -Imsl/strict -Xclang -ast-dump=json FILE.metal | strict
 */
#include "strict.h"

int main(void) {
    return strict_check(stdin);
}
