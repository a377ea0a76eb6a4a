/* strict — the strict check of what clang says.
 *
 *   bind strict FILE.metal > FILE.cl
 *   clang++ --config msl/strict/flags -Imsl/strict -Xclang -ast-dump=json FILE.cl \
 *       > TREE 2> MESSAGES
 *   strict TREE MESSAGES
 */
#include "messages.h"
#include "strict.h"

int main(int count, char **arguments) {
    if (count != 3) {
        fputs("usage: strict TREE MESSAGES\n", stderr);
        return 2;
    }
    FILE *tree = fopen(arguments[1], "r"), *messages = fopen(arguments[2], "r");
    int status = 2;
    if (tree && messages) {
        bool any = strict_messages(messages, stderr);
        status = strict_check(tree);
        if (any) status = 1;
    } else {
        fprintf(stderr, "strict: %s cannot be read\n", arguments[tree ? 2 : 1]);
    }
    if (tree) fclose(tree);
    if (messages) fclose(messages);
    return status;
}
