// Continue a text by 50 tokens: swift run quickstart gpt2.gguf

import MetalLLM

guard CommandLine.arguments.count == 2 else { fatalError("usage: quickstart MODEL") }

var error = LLMError()
let llm = llm_pipeline_open(CommandLine.arguments[1], nil, &error)
var tokens = llm_encode(llm, "The meaning of life is", 0, &error)
llm_generate(llm, &tokens, 50, nil, &error)
let text = llm_decode(llm, &tokens, &error)
print(text.map { String(cString: $0) } ?? String(cString: llm_error_message(&error)))

llm_free(text)
llm_tokens_free(&tokens)
llm_pipeline_close(llm)
