"""The same checkpoints in Hugging Face transformers and here: logits, and 100 greedy tokens.

transformers makes and saves each model itself, with every parameter random: its own initialisation
leaves biases at 0 and norms at 1, which would hide mistakes. `make test-transformers` runs this.
"""

import pathlib

import numpy
import pytest
import safetensors.numpy
import torch
import transformers

import reference
from llm import LLM

TOLERANCE = 1e-4  # of reference.logit_error
CLOSE = 2e-5  # the best two logits must be further apart than this share of their row's norm
COUNT = 100
TOKENIZER = pathlib.Path(__file__).parent.parent / "data" / "gpt2_tokenizer"

SMALL = {"vocab_size": 500, "n_positions": 128, "n_embd": 64, "n_layer": 2, "n_head": 2}
UNTIED = {**SMALL, "n_embd": 32, "n_inner": 50, "tie_word_embeddings": False}

CONFIGURATIONS = {
    "GPT-2's proportions": {**SMALL, "n_embd": 192, "n_layer": 3, "n_head": 3},
    "5 heads of 24": {**SMALL, "n_embd": 120, "n_head": 5},
    "1 head of 80": {**SMALL, "n_embd": 80, "n_head": 1},
    "n_inner 200, epsilon 0.01": {**SMALL, "n_inner": 200, "layer_norm_epsilon": 1e-2},
    "n_inner below n_embd": {**SMALL, "n_inner": 37},
    "attention scaled by layer": {**SMALL, "n_layer": 4, "scale_attn_by_inverse_layer_idx": True},
    "attention not scaled": {**SMALL, "n_embd": 32, "scale_attn_weights": False},
    "reorder_and_upcast_attn": {**SMALL, "reorder_and_upcast_attn": True},
    "gelu_pytorch_tanh": {**SMALL, "activation_function": "gelu_pytorch_tanh"},
    "untied": UNTIED,
}


def deviation(name, channels):
    """Strong embeddings and attention keep a greedy text from falling into a loop; stronger ones
    would make rounding errors grow from layer to layer."""
    if name.endswith(("wte.weight", "wpe.weight", "lm_head.weight")):
        return 0.5
    attention = name.endswith(("attn.c_attn.weight", "attn.c_proj.weight"))
    return float(numpy.clip(3 / channels**0.5, 0.2, 0.4)) if attention else 0.2


def random_model(settings, random):
    """A GPT2LMHeadModel with all parameters drawn: norm weights round 1, the others round 0."""
    config = transformers.GPT2Config(**settings, bos_token_id=None, eos_token_id=None)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean = 1.0 if ".ln_" in name and name.endswith("weight") else 0.0
            values = random.normal(mean, deviation(name, config.n_embd), parameter.shape)
            parameter.copy_(torch.from_numpy(values))
    return model


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


def greedy_text(model, prompt):
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=COUNT, do_sample=False)
    return out[0, len(prompt) :].tolist()


def is_clear(logits, text):
    """Whether `text` is the likeliest, and none of its tokens hangs on rounding. (With
    reorder_and_upcast_attn transformers scales uninitialised memory by 0, now and then a NaN.)"""
    second, first = numpy.sort(logits, axis=-1)[:, -2:].T
    norm = numpy.linalg.norm(logits - logits.mean(-1, keepdims=True), axis=-1)
    return numpy.all(first - second > CLOSE * norm) and logits.argmax(-1).tolist() == text


def clear_prompt(model, random):
    """A random prompt, its greedy continuation of at least 30 different tokens, and all logits; None: none is found."""
    for _ in range(50):
        prompt = random.integers(0, model.config.vocab_size, random.integers(1, 25)).tolist()
        text = greedy_text(model, prompt)
        logits = logits_of(model, prompt + text)
        if len(set(text)) >= 30 and is_clear(logits[len(prompt) - 1 : -1], text):
            return prompt, text, logits
    return None


def varied_model(settings, random, dtype=torch.float32):
    """A model of numbers of `dtype`, and what clear_prompt gives of it. (All texts of one in a few hundred are loops.)"""
    clear = None
    while not clear:
        model = random_model(settings, random).to(dtype).float()
        clear = clear_prompt(model, random)
    return model, clear


def check_same(folder, clear, **options):
    """The model saved in `folder` does what the varied one does."""
    prompt, text, logits = clear
    with LLM(folder, **options) as llm:
        assert reference.logit_error(llm.logits(prompt + text), logits) <= TOLERANCE
        assert llm.generate(prompt, COUNT, ignore_end=True) == text


@pytest.mark.parametrize("attention", ["flash", "naive"])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_configurations(configuration, attention, device_name, random, tmp_path):
    model, clear = varied_model(CONFIGURATIONS[configuration], random)
    model.save_pretrained(tmp_path)
    check_same(tmp_path, clear, device=device_name, attention=attention)


@pytest.mark.parametrize("type", [torch.float16, torch.bfloat16])
def test_half_precision_files(type, device_name, random, tmp_path):
    """Stored in 16 bits, computed in 32 on both sides."""
    model, clear = varied_model(SMALL, random, type)
    model.to(type).save_pretrained(tmp_path)
    check_same(tmp_path, clear, device=device_name)


def test_shards(device_name, random, tmp_path):
    model, clear = varied_model(SMALL, random)
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    check_same(tmp_path, clear, device=device_name)


def test_the_bare_model(device_name, random, tmp_path):
    """GPT2Model, whose tensors have no "transformer." before their names."""
    model, clear = varied_model(SMALL, random)
    model.transformer.save_pretrained(tmp_path)
    names = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert "wte.weight" in names
    check_same(tmp_path, clear, device=device_name)


def test_text_in_text_out(device_name, random, tmp_path):
    """With GPT-2's tokenizer: the same ids for a text, and the same text for what follows."""
    tokenizer = transformers.GPT2TokenizerFast(str(TOKENIZER / "vocab.json"), str(TOKENIZER / "merges.txt"))
    model = random_model({**SMALL, "vocab_size": len(tokenizer)}, random)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    text = "The meaning of life is 42, isn't it?\n\n  “Ja – natürlich!”"
    prompt = tokenizer(text)["input_ids"]
    after = greedy_text(model, prompt)
    with LLM(tmp_path, device=device_name) as llm:
        assert llm.encode(text) == prompt
        ours = llm.generate(prompt, COUNT, ignore_end=True)
        logits = logits_of(model, prompt + ours)[len(prompt) - 1 : -1]
        close = CLOSE * numpy.linalg.norm(logits - logits.mean(-1, keepdims=True), axis=-1)
        assert numpy.all(logits.max(-1) - logits[numpy.arange(COUNT), ours] <= close)
        theirs = tokenizer.decode(after, clean_up_tokenization_spaces=False)
        assert llm.decode(after).decode(errors="replace") == theirs


def test_each_tensor_counts(random, tmp_path):
    """With any one tensor of the file zeroed, the comparison fails."""
    model = random_model(UNTIED, random)
    model.save_pretrained(tmp_path)
    ids = random.integers(0, UNTIED["vocab_size"], 60).tolist()
    expected = logits_of(model, ids)
    file = tmp_path / "model.safetensors"
    tensors = safetensors.numpy.load_file(file)
    assert len(tensors) == len(list(model.parameters()))
    for name in tensors:
        zeroed = {**tensors, name: numpy.zeros_like(tensors[name])}
        safetensors.numpy.save_file(zeroed, file, {"format": "pt"})
        with LLM(tmp_path, device="cpu") as llm:
            assert reference.logit_error(llm.logits(ids), expected) > 100 * TOLERANCE, name
