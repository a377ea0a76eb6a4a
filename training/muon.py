"""Muon: momentum whose update is the nearest orthogonal matrix (K. Jordan et al., 2024,
https://kellerjordan.github.io/posts/muon/), for the weight matrices of the blocks.

`torch.optim.Muon` does the same one matrix at a time; here all matrices of one shape go through the
iteration together, which at these sizes is several times faster.
"""

from collections import defaultdict

import torch


def orthogonalise(g, steps=5):
    """Matrices [n, rows, columns], their singular values moved near 1 by Newton-Schulz steps."""
    wide = g.shape[1] <= g.shape[2]
    x = g.bfloat16() if wide else g.bfloat16().mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    return x if wide else x.mT.contiguous()


class Muon(torch.optim.Optimizer):
    """Its updates have AdamW's root mean square (0.2 lr), so the two share a learning rate."""

    def __init__(self, params, lr, weight_decay, momentum=0.95):
        by_shape = defaultdict(list)
        for p in params:
            by_shape[p.shape].append(p)
        groups = [{"params": matrices} for matrices in by_shape.values()]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        for p in (p for matrices in by_shape.values() for p in matrices):
            self.state[p]["momentum"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            matrices, lr, decay = group["params"], group["lr"], group["momentum"]
            gradients = [p.grad for p in matrices]
            momenta = [self.state[p]["momentum"] for p in matrices]
            torch._foreach_mul_(momenta, decay)
            torch._foreach_add_(momenta, gradients, alpha=1 - decay)
            updates = torch._foreach_mul(momenta, decay)
            torch._foreach_add_(updates, gradients, alpha=1 - decay)

            # q, k and v share one matrix but are three maps: [3C, C] counts as three of [C, C].
            rows, columns = matrices[0].shape
            if rows == 3 * columns:
                rows = columns
            updates = orthogonalise(torch.stack(updates).view(-1, rows, columns))
            updates = updates.float().view(len(matrices), *matrices[0].shape).unbind()
            torch._foreach_mul_(matrices, 1 - lr * group["weight_decay"])
            torch._foreach_add_(matrices, updates, alpha=-0.2 * max(rows, columns) ** 0.5 * lr)
