/* choose_attention.c — which kernels attend, see choose.h. */
#include "choose.h"

#include "kernel_constants.h"

/* The most and the fewest threads of fused_decode_attention.metal and fused_turned_attention.metal.
 */
enum { DECODE_THREADS = 32 * FUSED_DECODE_ATTENTION_MAX_SIMDGROUPS, LEAST_DECODE_THREADS = 128 };
enum { PROMPT_LEAST = 64 }; /* tokens from which on flash_attention_prompt.metal is faster */
/* Keys from which on they are split over threadgroups, of heads of up to 64 channels and of others,
 * of which a simdgroup has fewer at once; into how many parts at most. */
enum { SPLIT_KEYS = 1280, SPLIT_KEYS_WIDE = 384, SPLITS_MOST = 64 };

/* Head sizes with kernels of their own: 64, 128, 256. */
enum { SIZES = 3, NO_SIZE = SIZES };
#define SIZED(hs, type)                                                                            \
    .shared = "flash_attention_hs" #hs "_" type,                                                   \
    .prompt = "flash_attention_prompt_hs" #hs "_" type,                                            \
    .tiles = "flash_attention_tiles_hs" #hs "_halves_" type,                                       \
    .decode = {"decode_attention_hs" #hs "_" type, "decode_attention_hs" #hs "_halves_" type},     \
    .turned = {"turned_attention_hs" #hs "_" type, "turned_attention_hs" #hs "_halves_" type},     \
    .split = {"split_attention_hs" #hs "_" type, "split_attention_hs" #hs "_pair_" type}
#define FOURS(hs, type) .split_fours = "split_attention_hs" #hs "_fours_" type
#define SIZES_OF(type)                                                                             \
    {                                                                                              \
        {SIZED(64, type), FOURS(64, type)}, {SIZED(128, type), FOURS(128, type)}, {                \
            SIZED(256, type)                                                                       \
        }                                                                                          \
    }

/* The kernels of each type of the KV cache. */
static const struct {
    const char *split_heads, *gather, *scores, *mix, *flash;
    struct {
        const char *shared, *prompt, *tiles; /* several queries at once */
        const char *decode[2], *turned[2];  /* [to halves], of heads as they are and to be turned */
        const char *split[2], *split_fours; /* of one head, two and four at once */
    } sized[SIZES];                         /* of heads of 64, 128 and 256 channels */
} cache_kernels[] = {
    [ELEMENT_F32] = {.split_heads = "split_heads_f32",
                     .gather = "gather_pages_f32",
                     .scores = "attention_scores_f32",
                     .mix = "attention_mix_f32",
                     .flash = "flash_attention_f32",
                     .sized = SIZES_OF("f32")},
    [ELEMENT_F16] = {.split_heads = "split_heads_f16",
                     .gather = "gather_pages_f16",
                     .scores = "attention_scores_f16",
                     .mix = "attention_mix_f16",
                     .flash = "flash_attention_f16",
                     .sized = SIZES_OF("f16")},
};

/* Which of the sizes, or NO_SIZE. */
static uint32_t size_of_heads(uint32_t head_size) {
    uint32_t size = 0;
    while (size < SIZES && head_size != 64u << size)
        size++;
    return size;
}

bool heads_are_sized(uint32_t head_size) {
    return size_of_heads(head_size) != NO_SIZE;
}

/* So that all of them run at once. */
static uint32_t decode_threads(const Setup *setup, uint32_t groups) {
    uint32_t threads = DECODE_THREADS;
    while (groups * threads / 32 > setup->facts.simdgroups && threads > LEAST_DECODE_THREADS)
        threads /= 2;
    return threads;
}

static void choose_decode(AttentionChoice *choice, const Setup *setup, const Pass *pass,
                          const Attention *attention) {
    uint32_t heads = attention->heads, size = size_of_heads(attention->head_size);
    bool turns = attention->q_norm || (attention->rope && attention->rope->dims);
    bool halves = pass->type == ELEMENT_F16;
    DeviceGrid grid = grid_threadgroups(heads, pass->B, 1);
    choice->method = turns ? ATTENTION_TURNED : ATTENTION_DECODE;
    choice->flash = (Choice){turns ? cache_kernels[setup->cache].sized[size].turned[halves]
                                   : cache_kernels[setup->cache].sized[size].decode[halves],
                             with_threads(grid, decode_threads(setup, heads * pass->B)),
                             turns ? "one new token to a row: it is turned, goes to the cache and "
                                     "attends in one kernel"
                                   : "one new token to a row: it goes to the cache and attends in "
                                     "one kernel"};
}

/* How many of the heads that share keys a threadgroup takes: 1, 2 or 4 of up to 128 channels. */
static uint32_t split_heads_at_once(const Attention *attention) {
    uint32_t sharing = attention->heads / attention->kv_heads;
    return sharing == 1 ? 1 : sharing == 2 || attention->head_size > 128 ? 2 : 4;
}

/* So many that all threadgroups run at once. */
static uint32_t choose_splits(const Setup *setup, uint32_t B, uint32_t groups) {
    uint32_t at_once = setup->facts.simdgroups / FUSED_SPLIT_ATTENTION_MAX_SIMDGROUPS;
    uint32_t splits = at_once / (B * groups);
    return splits < SPLITS_MOST ? splits : SPLITS_MOST;
}

uint32_t choose_splitting(uint32_t keys) {
    return (keys >= SPLIT_KEYS_WIDE) + (keys >= SPLIT_KEYS);
}

size_t choose_split_rows(const Setup *setup, uint32_t B, uint32_t heads, uint32_t kv_heads) {
    if (!kv_heads) return 0; /* of a pipeline that was not opened as far as that */
    size_t at_once = setup->facts.simdgroups / FUSED_SPLIT_ATTENTION_MAX_SIMDGROUPS;
    size_t most = (size_t)B * heads * SPLITS_MOST, rows = at_once * (heads / kv_heads);
    return rows < most ? rows : most;
}

static const char *split_kernel(const Setup *setup, const Attention *attention, uint32_t count) {
    uint32_t size = size_of_heads(attention->head_size);
    return count == 4 ? cache_kernels[setup->cache].sized[size].split_fours
                      : cache_kernels[setup->cache].sized[size].split[count / 2];
}

/* False where it isn't worth a kernel more. */
static bool choose_split(AttentionChoice *choice, const Setup *setup, const Pass *pass,
                         const Attention *attention, uint32_t visible) {
    uint32_t window = attention->window, keys = window && window < visible ? window : visible;
    uint32_t sharing = attention->heads / attention->kv_heads;
    uint32_t from = attention->head_size > 64 ? SPLIT_KEYS_WIDE : SPLIT_KEYS;
    uint32_t count = split_heads_at_once(attention);
    uint32_t groups = attention->kv_heads * divide_up(sharing, count);
    choice->splits = choose_splits(setup, pass->B, groups);
    if (keys < from || choice->splits < 2) return false;
    choice->method = ATTENTION_SPLIT;
    choice->flash = (Choice){split_kernel(setup, attention, count),
                             with_threads(grid_threadgroups(groups, choice->splits, pass->B),
                                          32 * FUSED_SPLIT_ATTENTION_MAX_SIMDGROUPS),
                             "so many keys are split over threadgroups, and read once for the "
                             "heads that share them"};
    choice->merge = (Choice){pass->type == ELEMENT_F16 ? "merge_splits_f16" : "merge_splits",
                             with_threads(grid_threadgroups(attention->heads, pass->B, 1),
                                          FUSED_SPLIT_ATTENTION_MAX_SHARERS),
                             "what the splits have found becomes one"};
    return true;
}

/* `at_once` queries of the heads that share keys to a threadgroup. */
static DeviceGrid query_grid(const Pass *pass, const Attention *attention, uint32_t at_once) {
    uint32_t queries = pass->T * (attention->heads / attention->kv_heads);
    return grid_threadgroups(divide_up(queries, at_once), attention->kv_heads, pass->B);
}

static Choice choose_flash(const Setup *setup, const Pass *pass, const Attention *attention) {
    uint32_t size = size_of_heads(attention->head_size);
    if (setup->plain || size == NO_SIZE)
        return (Choice){cache_kernels[setup->cache].flash,
                        grid_threadgroups(pass->T, attention->heads, pass->B),
                        setup->plain ? "plain attention was asked for"
                                     : "heads of any size, a query to a threadgroup"};
    if (pass->type == ELEMENT_F16 && pass->T > FLASH_ATTENTION_SHARED_QUERIES) {
        uint32_t at_once = attention->head_size > 128 ? FLASH_ATTENTION_TILES_WIDE_QUERIES
                                                      : FLASH_ATTENTION_TILES_QUERIES;
        return (Choice){
            cache_kernels[setup->cache].sized[size].tiles,
            with_threads(query_grid(pass, attention, at_once), FLASH_ATTENTION_TILES_THREADS),
            "the matrix units make attention where they make the products"};
    }
    if (pass->T >= PROMPT_LEAST && !is_gpu(setup))
        return (Choice){cache_kernels[setup->cache].sized[size].prompt,
                        query_grid(pass, attention, FLASH_ATTENTION_PROMPT_QUERIES),
                        "on a CPU many queries share what is read of keys and values"};
    return (Choice){cache_kernels[setup->cache].sized[size].shared,
                    query_grid(pass, attention, FLASH_ATTENTION_SHARED_QUERIES),
                    "four queries to a threadgroup share what is read of keys and values"};
}

static void choose_naive(AttentionChoice *choice, const Setup *setup, const Pass *pass,
                         const Attention *attention, uint32_t capacity) {
    const char *why = "naive attention was asked for";
    uint32_t T = pass->T, rows = pass->B * attention->heads, head_size = attention->head_size;
    choice->gather = (Choice){cache_kernels[setup->cache].gather,
                              grid_threads(head_size, capacity, pass->B * attention->kv_heads),
                              "naive attention reads keys and values without pages"};
    choice->scores =
        (Choice){cache_kernels[setup->cache].scores, grid_threads(capacity, T, rows), why};
    choice->softmax = (Choice){"softmax_inplace", grid_threadgroups(rows * T, 1, 1), why};
    choice->mix = (Choice){cache_kernels[setup->cache].mix, grid_threads(head_size, T, rows), why};
    choice->merge = (Choice){"merge_heads", grid_threads(head_size, T, rows), why};
}

AttentionChoice choose_attention(const Setup *setup, const Pass *pass, const Attention *attention,
                                 uint32_t capacity, uint32_t visible) {
    uint32_t size = size_of_heads(attention->head_size);
    AttentionChoice choice = {.takes_head_size = setup->plain || size == NO_SIZE};
    uint32_t share = is_gpu(setup) ? HEADS_GPU_SHARE : 1, heads = attention->heads;
    choice.split =
        (Choice){cache_kernels[setup->cache].split_heads,
                 grid_threads(attention->head_size, divide_up(pass->T, share), pass->B * heads),
                 "keys and values go into the cache, queries head by head"};
    if (pass->style != STYLE_PLAIN && size != NO_SIZE) {
        choice.out = pass->type;
        if (!choose_split(&choice, setup, pass, attention, visible))
            choose_decode(&choice, setup, pass, attention);
    } else if (setup->flash) {
        choice.method = ATTENTION_FLASH;
        choice.flash = choose_flash(setup, pass, attention);
        bool tiles = !choice.takes_head_size &&
                     choice.flash.kernel == cache_kernels[setup->cache].sized[size].tiles;
        choice.out = tiles ? ELEMENT_F16 : ELEMENT_F32;
    } else {
        choice.method = ATTENTION_NAIVE;
        choose_naive(&choice, setup, pass, attention, capacity);
    }
    return choice;
}

Choice choose_head_norm(const Pass *pass, const Attention *attention) {
    uint32_t heads = attention->heads + attention->kv_heads;
    return (Choice){"head_norm", grid_simdgroups(pass->B * pass->T * heads),
                    "queries and keys are of one size in this model"};
}

Choice choose_rope(const Pass *pass, const Attention *attention) {
    bool halves = attention->rope->order == ROPE_HALVES;
    uint32_t heads = attention->heads + attention->kv_heads,
             pairs = divide_up(attention->head_size, 2);
    return (Choice){halves ? "rope_halves" : "rope_adjacent",
                    grid_threads(pairs, heads, pass->B * pass->T),
                    halves ? "this model turns queries and keys, halves of a head"
                           : "this model turns queries and keys, neighbours"};
}
