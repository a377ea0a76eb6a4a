"""A chat with `metal-llm serve`, streamed, by OpenAI's client: each line is a message.

metal-llm serve -m smollm2 &
python client.py http://127.0.0.1:8080
"""

import sys

import openai


def main(url: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    model = client.models.list().data[0].id
    chat = []
    for line in sys.stdin:
        chat.append({"role": "user", "content": line.rstrip("\n")})
        answer = ""
        for chunk in client.chat.completions.create(
            model=model, messages=chat, temperature=0, max_tokens=300, stream=True
        ):
            piece = chunk.choices[0].delta.content or "" if chunk.choices else ""
            answer += piece
            print(piece, end="", flush=True)
        print()
        chat.append({"role": "assistant", "content": answer})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} URL")
    main(sys.argv[1])
