#include "automaton.h"

#include <stdlib.h>
#include <string.h>

/* --- lists that grow --- */

/* A list with room for another; NULL if memory is out, as it then stays. */
static void *with_room(void *list, size_t count, size_t *capacity, size_t size, bool *failed) {
    if (count < *capacity) return list;
    size_t more = 2 * *capacity + 64;
    void *larger = realloc(list, more * size);
    if (larger) *capacity = more;
    *failed = *failed || !larger;
    return larger;
}

static bool is_same(const State *a, const State *b) {
    return a->where == b->where && a->frame == b->frame && a->node == b->node &&
           a->part == b->part && a->at == b->at && a->inside == b->inside &&
           a->spaced == b->spaced && a->negative == b->negative && a->open == b->open &&
           a->units == b->units;
}

/* Each once: ways that have come together go on as one. */
void automaton_add(Automaton *automaton, State state) {
    for (size_t i = automaton->stepped; i < automaton->count; i++)
        if (is_same(&automaton->states[i], &state)) return;
    State *larger = with_room(automaton->states, automaton->count, &automaton->capacity,
                              sizeof *larger, &automaton->failed);
    if (!larger) return;
    automaton->states = larger;
    larger[automaton->count++] = state;
}

/* The same frame, if it is one of the last: so that states which are alike share theirs. */
static uint32_t find_frame(const Automaton *automaton, const Frame *frame) {
    uint32_t count = automaton->frame_count, first = count > STATES_MOST ? count - STATES_MOST : 1;
    for (uint32_t i = first; i < count; i++) {
        const Frame *known = &automaton->frames[i];
        if (known->parent == frame->parent && known->node == frame->node &&
            known->index == frame->index && known->keys == frame->keys)
            return i;
    }
    return FRAME_NONE;
}

uint32_t automaton_add_frame(Automaton *automaton, Frame frame) {
    uint32_t known = find_frame(automaton, &frame);
    if (known != FRAME_NONE) return known;
    size_t capacity = automaton->frame_capacity;
    Frame *larger = with_room(automaton->frames, automaton->frame_count, &capacity, sizeof *larger,
                              &automaton->failed);
    if (!larger) return FRAME_NONE;
    automaton->frames = larger;
    automaton->frame_capacity = (uint32_t)capacity;
    larger[automaton->frame_count] = frame;
    return automaton->frame_count++;
}

uint32_t automaton_add_key(Automaton *automaton, Key key) {
    uint32_t count = automaton->key_count;
    for (uint32_t i = count > STATES_MOST ? count - STATES_MOST : 1; i < count; i++) {
        const Key *known = &automaton->keys[i];
        if (known->before == key.before && known->start == key.start && known->size == key.size)
            return i;
    }
    size_t capacity = automaton->key_capacity;
    Key *larger = with_room(automaton->keys, automaton->key_count, &capacity, sizeof *larger,
                            &automaton->failed);
    if (!larger) return 0;
    automaton->keys = larger;
    automaton->key_capacity = (uint32_t)capacity;
    larger[automaton->key_count] = key;
    return automaton->key_count++;
}

static void add_byte(Automaton *automaton, char byte) {
    char *larger =
        with_room(automaton->text, automaton->size, &automaton->room, 1, &automaton->failed);
    if (!larger) return;
    automaton->text = larger;
    larger[automaton->size++] = byte;
}

bool automaton_begin(Automaton *automaton, const Grammar *grammar) {
    *automaton = (Automaton){.grammar = grammar};
    automaton_add_frame(automaton, (Frame){0}); /* FRAME_NONE */
    automaton_add_key(automaton, (Key){0});     /* none, too */
    automaton_begin_value(automaton, grammar->root, FRAME_NONE, false);
    return !automaton->failed;
}

void automaton_free(Automaton *automaton) {
    free(automaton->states);
    free(automaton->frames);
    free(automaton->keys);
    free(automaton->text);
}

/* --- values --- */

void automaton_begin_value(Automaton *automaton, uint32_t node, uint32_t frame, bool spaced) {
    const Node *value = &automaton->grammar->nodes[node];
    uint32_t depth = automaton->frames[frame].depth;
    if (value->levels == GRAMMAR_NONE || depth + value->levels > GRAMMAR_LEVELS_MOST) return;
    if (value->kind != NODE_ANY_OF) {
        automaton_add(automaton,
                      (State){.where = AT_VALUE, .frame = frame, .node = node, .spaced = spaced});
        return;
    }
    for (uint32_t i = 0; i < value->count; i++)
        automaton_begin_value(automaton, value->parts[i], frame, spaced);
}

/* The next item of an array that has `index` of them. */
static void begin_item(Automaton *automaton, uint32_t frame, bool spaced) {
    Frame array = automaton->frames[frame];
    uint32_t item = node_item(&automaton->grammar->nodes[array.node], array.index);
    if (item != GRAMMAR_NONE) automaton_begin_value(automaton, item, frame, spaced);
}

void automaton_end_value(Automaton *automaton, uint32_t frame) {
    if (frame == FRAME_NONE) {
        automaton_add(automaton, (State){.where = AT_END});
        return;
    }
    Frame open = automaton->frames[frame];
    bool array = automaton->grammar->nodes[open.node].kind == NODE_ARRAY;
    if (array) {
        open.index++;
        frame = automaton_add_frame(automaton, open);
    }
    automaton_add(automaton, (State){.where = array ? AT_ITEM_END : AT_VALUE_END, .frame = frame});
}

/* The first byte of an array or an object. */
static void open_frame(Automaton *automaton, State state, bool array) {
    Frame open = {.parent = state.frame,
                  .node = state.node,
                  .depth = automaton->frames[state.frame].depth + 1};
    uint32_t frame = automaton_add_frame(automaton, open);
    if (!array) {
        automaton_add(automaton, (State){.where = AT_FIRST_KEY, .frame = frame});
        return;
    }
    if (!automaton->grammar->nodes[state.node].least)
        automaton_add(automaton, (State){.where = AT_FIRST, .frame = frame});
    begin_item(automaton, frame, false);
}

static void begin_value(Automaton *automaton, State state, char byte) {
    if (byte == ' ' && state.spaced) {
        state.spaced = false;
        automaton_add(automaton, state);
        return;
    }
    State next = {.frame = state.frame, .node = state.node};
    switch (automaton->grammar->nodes[state.node].kind) {
    case NODE_LITERALS:
        step_literal(automaton, (next.where = AT_LITERAL, next), byte);
        break;
    case NODE_STRING:
        next.where = AT_STRING;
        if (byte == '"') automaton_add(automaton, next);
        break;
    case NODE_NUMBER:
        step_number(automaton, (next.where = AT_NUMBER, next), byte);
        break;
    case NODE_RANGE:
        step_range(automaton, (next.where = AT_RANGE, next), byte);
        break;
    case NODE_ARRAY:
        if (byte == '[') open_frame(automaton, state, true);
        break;
    case NODE_OBJECT:
        if (byte == '{') open_frame(automaton, state, false);
        break;
    case NODE_ANY_OF: /* its parts were put in its place */
        break;
    }
}

static void step_array(Automaton *automaton, State state, char byte) {
    Frame array = automaton->frames[state.frame];
    const Node *node = &automaton->grammar->nodes[array.node];
    if (byte == ']' && array.index >= node->least) automaton_end_value(automaton, array.parent);
    if (byte == ',' && state.where == AT_ITEM_END) begin_item(automaton, state.frame, true);
}

/* --- a byte --- */

static void step(Automaton *automaton, State state, char byte) {
    switch (state.where) {
    case AT_END:
        break;
    case AT_VALUE:
        begin_value(automaton, state, byte);
        break;
    case AT_LITERAL:
        step_literal(automaton, state, byte);
        break;
    case AT_STRING:
        step_string(automaton, state, byte);
        break;
    case AT_NUMBER:
        step_number(automaton, state, byte);
        break;
    case AT_RANGE:
        step_range(automaton, state, byte);
        break;
    case AT_FIRST:
    case AT_ITEM_END:
        step_array(automaton, state, byte);
        break;
    default:
        step_object(automaton, state, byte);
    }
}

size_t automaton_step(Automaton *automaton, size_t first, size_t count, char byte) {
    size_t before = automaton->stepped = automaton->count;
    for (size_t i = first; i < first + count && automaton->count < before + STATES_MOST; i++)
        step(automaton, automaton->states[i], byte);
    if (automaton->failed) automaton->count = before;
    if (automaton->count > before) add_byte(automaton, byte);
    return automaton->count - before;
}
