/* automaton.h — where a text can be in a grammar, and where a byte takes it.
 *
 * A text may be in several states: where two schemas of an anyOf begin alike, and after a digit,
 * which may be the last. From every state there is a way to the end of a whole text; so if there
 * are too many, some can be left out. What is open round a state are frames, which are not changed
 * but added to: states share them, and going back is to forget the last ones.
 */
#ifndef METAL_LLM_GRAMMAR_AUTOMATON_H
#define METAL_LLM_GRAMMAR_AUTOMATON_H

#include "grammar.h"

#define FRAME_NONE 0 /* what is open round the whole text */

/* An array or an object that is not closed yet. */
typedef struct Frame {
    uint32_t parent; /* frame */
    uint32_t node;
    uint32_t index; /* items so far; the property that may be next */
    uint32_t keys;  /* the last of an object's keys that are not in the schema; 0: none */
    uint32_t depth; /* frames, with this one */
} Frame;

/* A key that the schema does not name: text[start … start + size). */
typedef struct Key {
    uint32_t before; /* key of the same object; 0: none */
    uint32_t start, size;
} Key;

typedef enum Where {
    AT_END,       /* the text is whole */
    AT_VALUE,     /* before a value */
    AT_LITERAL,   /* part, at: so far in this one, or in those after it that begin alike */
    AT_STRING,    /* part: characters so far */
    AT_NUMBER,    /* part: the digits of this part so far */
    AT_RANGE,     /* units: the digits so far, part: of them after the point */
    AT_FIRST,     /* may close an empty array */
    AT_ITEM_END,  /* after an item */
    AT_FIRST_KEY, /* after a brace */
    AT_NEXT_KEY,  /* after a comma */
    AT_KEY,   /* part, at: as of literals, among the properties; GRAMMAR_NONE: in none of them */
    AT_COLON, /* after a key */
    AT_VALUE_END, /* after a property's value */
} Where;

typedef struct State {
    Where where;
    uint32_t frame;
    uint32_t node; /* that is being read, or will be */
    uint32_t part, at;
    uint8_t inside; /* what a string or a number is in the middle of */
    bool spaced;    /* a space may come first */
    bool negative;
    bool open; /* a key that the schema does not name */
    int64_t units;
} State;

enum { STATES_MOST = 64 };

/* Lists that grow, and are cut where a text goes back. */
typedef struct Automaton {
    const Grammar *grammar;
    State *states;
    size_t count, capacity;
    size_t stepped; /* states before this one are not of the last step */
    Frame *frames;
    uint32_t frame_count, frame_capacity;
    Key *keys;
    uint32_t key_count, key_capacity;
    char *text; /* [size] that has been read */
    size_t size, room;
    bool failed; /* memory was out */
} Automaton;

bool automaton_begin(Automaton *automaton, const Grammar *grammar);
void automaton_free(Automaton *automaton);

/* Read a byte in states[first … first + count): the states that follow are put after all others.
 * Returns their number; 0: the byte cannot stand here. */
size_t automaton_step(Automaton *automaton, size_t first, size_t count, char byte);

/* For the files that read a byte: another state after the others; a value that has ended; one that
 * begins. */
void automaton_add(Automaton *automaton, State state);
void automaton_end_value(Automaton *automaton, uint32_t frame);
void automaton_begin_value(Automaton *automaton, uint32_t node, uint32_t frame, bool spaced);
uint32_t automaton_add_frame(Automaton *automaton, Frame frame);
uint32_t automaton_add_key(Automaton *automaton, Key key);

/* A byte in a state of a string, a number, or an object. */
void step_literal(Automaton *automaton, State state, char byte);
void step_string(Automaton *automaton, State state, char byte);
void step_number(Automaton *automaton, State state, char byte);
void step_range(Automaton *automaton, State state, char byte);
void step_object(Automaton *automaton, State state, char byte);

/* What a byte does within a string: see step_string. */
enum { INSIDE_NONE = 0, INSIDE_BAD = 255 };
uint8_t string_inside(uint8_t inside, unsigned char byte);

#endif
