"""Trains a GPT-2 or a Llama on tokenised text.

    python train.py DATA_DIR OUT_DIR [settings]
    python train.py DATA_DIR OUT_DIR [settings] --resume

writes OUT_DIR/best.pt (weights with the lowest validation loss), OUT_DIR/last.pt (everything that
--resume needs) and OUT_DIR/log.jsonl. A run ends after --tokens or --minutes, whichever comes
first; the learning rate (linear warm-up, then a cosine down to --final-lr of the peak) follows the
one that is further along.
"""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F

from evaluate import bits_per_byte, load_ids, load_model, total_nats
from model import Config, make_model
from muon import Muon


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--texts",
        nargs="+",
        default=["train", "extra_novels"],
        help="names of the .bin files to train on",
    )
    parser.add_argument("--validate", default="valid", help="name of the .bin file to validate on")
    parser.add_argument("--architecture", choices=("gpt2", "llama"), default="gpt2")
    parser.add_argument("--kv-heads", type=int, default=0, help="Llama's; 0: as many as heads")
    parser.add_argument("--inner", type=int, default=0, help="Llama's MLP; 0: 8/3 of --channels")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--channels", type=int, default=320)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="muon")
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--final-lr", type=float, default=0.0, help="as a fraction of --lr")
    parser.add_argument("--warmup", type=float, default=0.03, help="as a fraction of all steps")
    parser.add_argument("--weight-decay", type=float, default=0.3)
    parser.add_argument("--batch", type=int, default=32, help="windows of --context tokens in a step")
    parser.add_argument("--tokens", type=float, default=420e6, help="tokens to train on in all")
    parser.add_argument("--order", choices=("shuffled", "file"), default="shuffled", help="of documents, each epoch")
    parser.add_argument(
        "--starts",
        type=float,
        default=0.5,
        help="share of documents that begin a window, each epoch",
    )
    parser.add_argument("--init", type=Path, help="checkpoint whose weights to begin with")
    parser.add_argument("--teacher", type=Path, help="checkpoint to distil from")
    parser.add_argument("--teacher-weight", type=float, default=0.8, help="share of the teacher in the loss")
    parser.add_argument("--compile-mode", default="reduce-overhead", help="of torch.compile")
    parser.add_argument("--eval-every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end here if --tokens take longer")
    parser.add_argument("--piece", type=float, default=math.inf, help="minutes until this piece of the run stops")
    parser.add_argument("--resume", action="store_true", help="go on where the last piece stopped")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


class Windows:
    """The training text as windows of context + 1 ids, in an order that seed and step alone decide.

    Each epoch puts the documents in a fresh random order and cuts the text at a fresh random phase;
    a share of the documents, drawn anew, also begins a window of its own, as a prompt does.
    """

    def __init__(self, ids, end_of_text, args):
        self.ids, self.args = ids, args
        # A document is "…\n<|endoftext|>\n": the line end after the mark is its last id.
        ends = (ids == end_of_text).nonzero().flatten() + 2
        self.begin = torch.cat([ends.new_zeros(1), ends[:-1]])
        self.length = ends - self.begin
        assert self.length.sum() == len(ids), "the text must end with <|endoftext|> and a line end"
        self.own = int(args.starts * len(ends))
        self.cuts = (len(ids) - args.context - 1) // args.context
        self.steps = (self.cuts + self.own) // args.batch
        self.epoch = -1

    def _start_epoch(self, epoch):
        generator = torch.Generator().manual_seed(self.args.seed * 1_000_003 + epoch)
        device, context = self.ids.device, self.args.context

        def shuffled(n):
            return torch.randperm(n, generator=generator).to(device)

        documents = shuffled(len(self.begin))
        if self.args.order == "file":
            documents = documents.sort().values
        lengths = self.length[documents]
        offsets = lengths.cumsum(0) - lengths
        source = torch.repeat_interleave(self.begin[documents] - offsets, lengths)
        self.text = self.ids[source + torch.arange(len(source), device=device)]

        phase = torch.randint(context, (1,), generator=generator).item()
        cuts = phase + context * torch.arange(self.cuts, device=device)
        own = offsets[shuffled(len(offsets))[: self.own]].clamp(max=len(self.text) - context - 1)
        windows = torch.cat([cuts, own])
        self.windows = windows if self.args.order == "file" else windows[shuffled(len(windows))]
        self.epoch = epoch

    def __call__(self, step):
        """The batch of a step: ids [B, context + 1]."""
        epoch, index = divmod(step, self.steps)
        if epoch != self.epoch:
            self._start_epoch(epoch)
        starts = self.windows[index * self.args.batch :][: self.args.batch, None]
        return self.text[starts + torch.arange(self.args.context + 1, device=starts.device)]


def make_optimizers(model, args):
    """Weight decay falls on matrices, not on biases, layernorms and positions."""

    def group(params, weight_decay):
        return {"params": params, "weight_decay": weight_decay}

    matrices = [p for p in model.h.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    positions = [model.wpe.weight] if hasattr(model, "wpe") else []
    groups = [
        group([model.wte.weight], args.weight_decay),
        group([*positions, *vectors], 0.0),
    ]
    muon = []
    if args.optimizer == "muon":
        muon = [Muon(matrices, lr=args.lr, weight_decay=args.weight_decay)]
    else:
        groups.append(group(matrices, args.weight_decay))
    fused = {"fused": True} if args.device == "cuda" else {}
    return [*muon, torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98), **fused)]


def learning_rate(progress, args):
    """The rate after `progress` of the run, 0 to 1."""
    if progress < args.warmup:
        return args.lr * progress / args.warmup
    cosine = 0.5 + 0.5 * math.cos(math.pi * (progress - args.warmup) / (1 - args.warmup))
    return args.lr * (args.final_lr + (1 - args.final_lr) * cosine)


def loss_function(logits, targets, teacher_logits=None, teacher_weight=0.0):
    """Mean cross-entropy of logits [B, T, V] against targets [B, T].

    With a teacher, a share of it is taken against the teacher's distribution.
    """
    logits = logits.float().flatten(0, 1)
    loss = F.cross_entropy(logits, targets.flatten())
    if teacher_logits is None:
        return loss
    soft_targets = teacher_logits.float().flatten(0, 1).softmax(-1)
    return (1 - teacher_weight) * loss + teacher_weight * F.cross_entropy(logits, soft_targets)


def make_backward(model, windows, args):
    """A function of the step that leaves its gradients in the model and returns the loss."""

    def compiled(function, mode="default"):
        return torch.compile(function, mode=mode) if args.device == "cuda" else function

    def training_loss(ids, teacher_logits):
        return loss_function(model(ids[:, :-1]), ids[:, 1:], teacher_logits, args.teacher_weight)

    training_loss = compiled(training_loss, args.compile_mode)
    teacher = compiled(load_model(args.teacher, args.device)) if args.teacher else lambda ids: None

    def backward(step):
        ids = windows(step)
        with mixed_precision(args):
            with torch.no_grad():
                teacher_logits = teacher(ids[:, :-1])
            loss = training_loss(ids, teacher_logits)
        loss.backward()
        return loss.detach().clone()

    return backward


def mixed_precision(args):
    return torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.device == "cuda")


def make_validation(model, args):
    """A function that gives the model's bits per byte on the validation text."""
    ids = load_ids(args.data / f"{args.validate}.bin", args.device)
    bytes = json.loads((args.data / "corpus.json").read_text())[args.validate]["bytes"]

    def validate():
        model.eval()
        with mixed_precision(args):
            nats, _ = total_nats(model, ids, args.context)
        model.train()
        return bits_per_byte(nats, bytes)

    return validate


def resume(path, model, optimizers, device):
    """Restores a run; returns its step, its seconds so far and its best bits per byte."""
    state = torch.load(path, map_location=device)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"]):
        optimizer.load_state_dict(saved)
    return state["step"], state["seconds"], state["best"]


def main():
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")

    config = Config(
        args.layers,
        args.channels,
        args.context,
        dropout=args.dropout,
        architecture=args.architecture,
        kv_heads=args.kv_heads,
        inner=args.inner,
    )
    texts = [load_ids(args.data / f"{name}.bin", args.device) for name in args.texts]
    windows = Windows(torch.cat(texts), config.vocabulary - 1, args)
    steps = int(args.tokens / (args.batch * args.context))
    model = make_model(config).to(args.device)
    if args.init:
        model.load_state_dict(torch.load(args.init, map_location=args.device)["model"])
    optimizers = make_optimizers(model, args)
    backward, validate = make_backward(model, windows, args), make_validation(model, args)

    step, seconds, best = 0, 0.0, math.inf
    if args.resume:
        step, seconds, best = resume(args.out / "last.pt", model, optimizers, args.device)
        torch.manual_seed(args.seed + step)
    log = open(args.out / "log.jsonl", "a" if args.resume else "w")

    backward(step)  # compiles, before the clock starts
    model.zero_grad()
    began, piece_ends = time.time() - seconds, seconds + 60 * args.piece
    losses, progress = [], max(step / steps, seconds / (60 * args.minutes))
    while progress < 1 and seconds < piece_ends:
        losses.append(backward(step))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(progress, args)
            optimizer.step()
        model.zero_grad()

        step += 1
        seconds = time.time() - began
        progress = max(step / steps, seconds / (60 * args.minutes))
        if step % args.eval_every == 0 or progress >= 1 or seconds >= piece_ends:
            bpb = validate()
            record = {
                "step": step,
                "tokens": step * args.batch * args.context,
                "epochs": round(step / windows.steps, 3),
                "train_loss": round(torch.stack(losses).mean().item(), 4),
                "valid_bpb": round(bpb, 5),
                "seconds": round(seconds, 1),
            }
            losses.clear()
            print(json.dumps(record), file=log, flush=True)
            print(args.out.name, json.dumps(record), flush=True)
            weights = {"config": asdict(config), "model": model.state_dict()}
            if bpb < best:
                best = bpb
                torch.save(weights, args.out / "best.pt")
            run = {"optimizers": [optimizer.state_dict() for optimizer in optimizers]}
            run.update(step=step, seconds=seconds, best=best)
            torch.save({**weights, **run}, args.out / "last.pt")


if __name__ == "__main__":
    main()
