/* objects.c — the bytes of objects, outside of their values. */
#include "automaton.h"

#include <string.h>

/* Whether a property's value has room below the object; one that has no value never has. */
static bool has_room(const Automaton *automaton, const Frame *frame, uint32_t node) {
    return automaton->grammar->nodes[node].levels <= GRAMMAR_LEVELS_MOST - frame->depth;
}

/* The properties that may come next end with the first that is required. */
static uint32_t candidates_end(const Node *object, uint32_t index) {
    for (; index < object->count; index++)
        if (object->properties[index].required) return index + 1;
    return index;
}

static bool needs_more(const Node *object, uint32_t index) {
    uint32_t end = candidates_end(object, index);
    return end > index && object->properties[end - 1].required;
}

/* Properties that the schema does not name come after all that are required. */
static bool may_be_open(const Automaton *automaton, const Frame *frame, const Node *object) {
    return object->rest != GRAMMAR_NONE && !needs_more(object, frame->index) &&
           has_room(automaton, frame, object->rest);
}

static bool has_next(const Automaton *automaton, const Frame *frame, const Node *object) {
    uint32_t end = candidates_end(object, frame->index);
    for (uint32_t i = frame->index; i < end; i++)
        if (has_room(automaton, frame, object->properties[i].node)) return true;
    return may_be_open(automaton, frame, object);
}

/* --- keys --- */

static bool is_named(const Node *object, const char *name, uint32_t size) {
    for (uint32_t i = 0; i < object->count; i++) {
        const Property *property = &object->properties[i];
        if (property->size == size + 1 && memcmp(property->key, name, size) == 0) return true;
    }
    return false;
}

static bool is_used(const Automaton *automaton, uint32_t key, const char *name, uint32_t size) {
    for (; key; key = automaton->keys[key].before) {
        const Key *used = &automaton->keys[key];
        if (used->size == size && memcmp(automaton->text + used->start, name, size) == 0)
            return true;
    }
    return false;
}

static void end_key(Automaton *automaton, State state, uint32_t index, uint32_t keys,
                    uint32_t node) {
    Frame frame = automaton->frames[state.frame];
    frame.index = index;
    frame.keys = keys;
    state.frame = automaton_add_frame(automaton, frame);
    state.where = AT_COLON;
    state.node = node;
    automaton_add(automaton, state);
}

/* A key that the schema does not name. Escapes are left out, which could spell one that it does. */
static void step_open_key(Automaton *automaton, State *state, const Node *object, char byte) {
    uint32_t size = state->at, start = (uint32_t)automaton->size - size;
    const char *name = automaton->text + start;
    uint32_t keys = automaton->frames[state->frame].keys;
    bool ends = byte == '"' && state->inside == INSIDE_NONE;
    if (ends && !is_named(object, name, size) && !is_used(automaton, keys, name, size))
        end_key(automaton, *state, object->count,
                automaton_add_key(automaton, (Key){keys, start, size}), object->rest);
    state->inside = string_inside(state->inside, (unsigned char)byte);
    state->open = byte != '\\' && state->inside != INSIDE_BAD;
}

/* The first candidate from `part` on that begins with what has been read and the byte. */
static uint32_t find_candidate(const Automaton *automaton, const State *state, const Node *object,
                               char byte) {
    if (state->part == GRAMMAR_NONE) return GRAMMAR_NONE;
    const Frame *frame = &automaton->frames[state->frame];
    uint32_t end = candidates_end(object, frame->index), at = state->at;
    const char *known = object->properties[state->part].key;
    for (uint32_t i = state->part; i < end; i++) {
        const Property *property = &object->properties[i];
        if (property->size > at && property->key[at] == byte &&
            memcmp(property->key, known, at) == 0 && has_room(automaton, frame, property->node))
            return i;
    }
    return GRAMMAR_NONE;
}

static void step_key(Automaton *automaton, State state, char byte) {
    const Node *object = &automaton->grammar->nodes[automaton->frames[state.frame].node];
    uint32_t found = find_candidate(automaton, &state, object, byte);
    if (found != GRAMMAR_NONE && object->properties[found].size == state.at + 1) {
        end_key(automaton, state, found + 1, automaton->frames[state.frame].keys,
                object->properties[found].node);
        return;
    }
    if (state.open) step_open_key(automaton, &state, object, byte);
    state.part = found;
    state.at++;
    if (found != GRAMMAR_NONE || state.open) automaton_add(automaton, state);
}

static void begin_key(Automaton *automaton, State state) {
    const Frame *frame = &automaton->frames[state.frame];
    const Node *object = &automaton->grammar->nodes[frame->node];
    if (!has_next(automaton, frame, object)) return;
    bool named = frame->index < object->count;
    automaton_add(automaton, (State){.where = AT_KEY,
                                     .frame = state.frame,
                                     .part = named ? frame->index : GRAMMAR_NONE,
                                     .open = may_be_open(automaton, frame, object)});
}

/* --- all of it --- */

static void close_object(Automaton *automaton, State state) {
    const Frame *frame = &automaton->frames[state.frame];
    if (!needs_more(&automaton->grammar->nodes[frame->node], frame->index))
        automaton_end_value(automaton, frame->parent);
}

static void go(Automaton *automaton, State state, Where where) {
    const Frame *frame = &automaton->frames[state.frame];
    if (!has_next(automaton, frame, &automaton->grammar->nodes[frame->node])) return;
    state.where = where;
    state.spaced = true;
    automaton_add(automaton, state);
}

void step_object(Automaton *automaton, State state, char byte) {
    switch (state.where) {
    case AT_FIRST_KEY:
    case AT_NEXT_KEY:
        if (byte == '"') begin_key(automaton, state);
        if (byte == '}' && state.where == AT_FIRST_KEY) close_object(automaton, state);
        if (byte == ' ' && state.spaced) {
            state.spaced = false;
            automaton_add(automaton, state);
        }
        break;
    case AT_KEY:
        step_key(automaton, state, byte);
        break;
    case AT_COLON:
        if (byte == ':') automaton_begin_value(automaton, state.node, state.frame, true);
        break;
    default: /* AT_VALUE_END */
        if (byte == ',') go(automaton, state, AT_NEXT_KEY);
        if (byte == '}') close_object(automaton, state);
    }
}
