"""Conversations, tools and documents for chat templates."""

import json

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.\nNow, or later.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": 'The city\'s <name> & "country"'},
                    "days": {"type": "integer", "minimum": 1, "default": 3},
                    "unit": {"type": "string", "enum": ["C", "F"]},
                    "more": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "number"}},
                        },
                    },
                },
                "required": ["city"],
            },
            "return": {"type": "string", "description": "words"},
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "description": "Time", "parameters": {"type": "object", "properties": {}}},
    },
]
DOCUMENTS = [{"doc_id": 1, "title": "Lakes", "text": "Water,\nmostly."}, {"title": "Ü", "text": ""}]


def call(number, arguments, as_text=False):
    function = {"name": "get_weather", "arguments": json.dumps(arguments) if as_text else arguments}
    return {"id": f"call{number:05d}", "type": "function", "function": function}


SYSTEM = {"role": "system", "content": "Be brief.\n\nAlways. /no_think"}
USER = {"role": "user", "content": "  Hello <|im_start|> you & me, Zoë 😀  "}
ASSISTANT = {"role": "assistant", "content": "Hi! \n"}
THINKS = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nAnswer"}
REASONS = {"role": "assistant", "content": "Answer", "reasoning_content": "hmm\n", "reasoning": "hm"}
CALLS = {"role": "assistant", "content": "", "tool_calls": [call(0, {"city": "Zürich", "days": 2})]}
CALLS_TWICE = {
    "role": "assistant",
    "content": None,
    "tool_calls": [call(1, {"city": "Bern"}), call(2, {"more": [{"a": None, "b": 1.5}, {}]})],
}
CALLS_AS_TEXT = {"role": "assistant", "content": "Let me see", "tool_calls": [call(3, {"city": "Chur"}, as_text=True)]}
RESULT = {"role": "tool", "content": "sunny", "name": "get_weather", "tool_call_id": "call00000"}
RESULT_JSON = {"role": "tool", "content": '{"t": 21.5}', "name": "get_weather", "tool_call_id": "call00001"}
RESULT_MAPPING = {"role": "ipython", "content": {"t": [1, 2.0, None, True]}}
PICTURE = {
    "role": "user",
    "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "what?"}],
}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Only "}, {"type": "text", "text": "text"}]}
PARTS_BACK = {"role": "assistant", "content": [{"type": "text", "text": "Parts"}]}
SYSTEM_PARTS = {"role": "system", "content": [{"type": "text", "text": "As parts"}]}

CONVERSATIONS = [
    [],
    [USER],
    [SYSTEM],
    [SYSTEM, USER],
    [USER, ASSISTANT, USER],
    [SYSTEM, USER, ASSISTANT, USER, ASSISTANT],
    [USER, THINKS, USER],
    [SYSTEM, USER, REASONS, USER, THINKS],
    [USER, CALLS, RESULT],
    [SYSTEM, USER, CALLS, RESULT, ASSISTANT, USER],
    [USER, CALLS_TWICE, RESULT_JSON, RESULT, ASSISTANT],
    [USER, CALLS_AS_TEXT, RESULT_JSON, REASONS, USER],
    [USER, CALLS_TWICE, RESULT_JSON, RESULT],
    [PICTURE],
    [PARTS],
    [SYSTEM_PARTS, PARTS, PARTS_BACK, USER],
    [USER, USER],
    [ASSISTANT, USER],
    [SYSTEM, SYSTEM, USER],
    [{"role": "developer", "content": "dev"}, USER],
    [USER, RESULT_MAPPING, ASSISTANT],
    [USER, {"role": "assistant", "content": None}],
    [{"role": "user", "content": ""}, {"role": "assistant", "content": "\n"}],
]

SETTINGS = [
    {},
    {"add_generation_prompt": True},
    {
        "add_generation_prompt": True,
        "documents": DOCUMENTS,
        "enable_thinking": False,
        "tools_in_user_message": False,
        "reasoning_effort": "high",
        "builtin_tools": ["web", "code_interpreter"],
        "controls": {"citations": 1, "length": "long"},
    },
]
