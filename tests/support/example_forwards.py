"""Small networks of every kind that alignment supports, with the sizes of their channel groups, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Example(NamedTuple):
    """A network, the shape of its input, and the sizes of its permutation groups."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    sizes: list[int]


class Written(nn.Module):
    """Submodules, and a forward pass given as a function of them and the input."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self._pass = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args: Any, **named: Any) -> Any:
        return self._pass(self, *args, **named)


def number(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape))


def twice(net: Any, x: Tensor) -> Tensor:
    x = net.one(x)
    return net.read(torch.tanh(net.again(torch.tanh(net.again(x)))))


def written_into_zeros(net: Any, x: Tensor) -> Tensor:
    buffer = x.new_zeros(len(x), 7)
    buffer[:, :4] = net.one(x).relu_()
    buffer[:, 4:] += net.two(x)
    return net.read(buffer)


def transformer(net: Any, x: Tensor) -> Tensor:
    x = net.one(x) + net.place
    y = net.norm(x)
    x = x + net.attention(y, y, y, need_weights=False)[0]
    x = x + net.down(F.gelu(net.up(net.norm2(x))))
    return net.read(x[:, 0])


def padded_shortcut(net: Any, x: Tensor) -> Tensor:
    x = F.relu(net.one(x))
    return net.read((F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)) + net.two(x)).relu().mean((2, 3)))


def u_shaped(net: Any, x: Tensor) -> Tensor:
    high = F.relu(net.one(x))
    low = F.relu(net.two(F.max_pool2d(high, 2)))
    both = torch.cat([high, F.interpolate(net.three(low), scale_factor=1.0), x], 1)
    return net.read(both)


def shared_weight(net: Any, x: Tensor) -> Tensor:
    return F.linear(torch.tanh(net.one(x)), net.one.weight.t())


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 1, bias=False), nn.SiLU(),
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 6), nn.PReLU(6), nn.Linear(6, 3),
    )  # fmt: skip


def convolution(before: int, after: int, size: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, size, padding="same", bias=False), nn.BatchNorm2d(after))


def bottleneck(before: int, inner: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(before, inner), nn.ReLU(), convolution(inner, inner, 3), nn.ReLU(), convolution(inner, after)
    )


def bottlenecks(net: Any, x: Tensor) -> Tensor:
    x = F.relu(net.stem(x), inplace=True)
    x = F.relu(net.first(x) + x)
    x = F.relu(net.second(x) + net.down(x))
    return net.read(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


EXAMPLES: dict[str, Example] = {
    "fully connected": Example(
        lambda: nn.Sequential(
            nn.Linear(3, 6), nn.LayerNorm(6), nn.Softplus(), nn.Linear(6, 5), nn.PReLU(), nn.Linear(5, 2)
        ),
        (3,),
        [5, 6],
    ),
    "convolutional": Example(convolutional, (1, 6, 6), [4, 5, 6]),
    "residual sum": Example(
        lambda: Written(
            lambda net, x: net.read((y := net.one(x)) + net.two(F.relu(net.branch(y)))),
            one=nn.Linear(3, 5), branch=nn.Linear(5, 4), two=nn.Linear(4, 5, bias=False), read=nn.Linear(5, 2),
        ),
        (3,),
        [4, 5],
    ),
    "bottlenecks": Example(
        lambda: Written(
            bottlenecks, stem=convolution(1, 3), first=bottleneck(3, 2, 3), down=convolution(3, 6),
            second=bottleneck(3, 4, 6), read=nn.Linear(6, 2),
        ),
        (1, 4, 4),
        [2, 2, 3, 4, 4, 6],
    ),
    "shortcut padded with zeros": Example(
        lambda: Written(
            padded_shortcut, one=nn.Conv2d(2, 3, 1), two=nn.Conv2d(3, 6, 3, 2, 1), read=nn.Linear(6, 2)
        ),
        (2, 4, 4),
        [2, 3],
    ),
    "functions only": Example(
        lambda: Written(
            lambda net, x: {
                "logits": net.read(F.dropout(F.silu(net.two(F.relu(net.one(x))).mean((2, 3))), training=False))
            },
            one=nn.Conv2d(2, 4, 3, padding="same"), two=nn.Conv2d(4, 3, 1), read=nn.Linear(3, 2),
        ),
        (2, 4, 4),
        [3, 4],
    ),
    "view of space": Example(
        lambda: Written(
            lambda net, x: net.read(net.one(x).tanh().view(x.size(0), -1)),
            one=nn.Conv1d(2, 4, 1), read=nn.Linear(20, 2),
        ),
        (2, 5),
        [4],
    ),
    "view of a sequence": Example(
        lambda: Written(
            lambda net, x: net.read(net.one(x).tanh().reshape(len(x), -1)), one=nn.Linear(2, 4), read=nn.Linear(20, 2)
        ),
        (5, 2),
        [4],
    ),
    "features last": Example(
        lambda: nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 3)), (5, 2), [4]
    ),
    "mixing of places": Example(
        lambda: Written(
            lambda net, x: net.read((y := net.one(x)) + net.back(net.mix(y.mT).relu()).mT).mean(1),
            one=nn.Linear(2, 4), mix=nn.Linear(5, 6), back=nn.Linear(6, 5), read=nn.Linear(4, 3),
        ),
        (5, 2),
        [4, 6],
    ),
    "group normalisation of two groups": Example(
        lambda: nn.Sequential(nn.Conv1d(2, 6, 1), nn.GroupNorm(2, 6), nn.ReLU(), nn.Conv1d(6, 2, 1)), (2, 5), [3, 3]
    ),
    "group normalisation of one group": Example(
        lambda: nn.Sequential(nn.Conv1d(2, 6, 1), nn.GroupNorm(1, 6), nn.ReLU(), nn.Conv1d(6, 2, 1)), (2, 5), [6]
    ),
    "instance normalisation": Example(
        lambda: nn.Sequential(nn.Conv1d(2, 6, 1), nn.InstanceNorm1d(6, affine=True), nn.ReLU(), nn.Conv1d(6, 2, 1)),
        (2, 5),
        [6],
    ),
    "depthwise convolution": Example(
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, groups=4), nn.ReLU6(), nn.Conv2d(8, 2, 1)
        ),
        (2, 4, 4),
        [4],
    ),
    "grouped convolution": Example(
        lambda: nn.Sequential(
            nn.Conv1d(2, 6, 1), nn.ReLU(), nn.Conv1d(6, 4, 1, groups=2), nn.ELU(), nn.Conv1d(4, 2, 1)
        ),
        (2, 5),
        [2, 2, 3],
    ),
    "concatenation with the input": Example(
        lambda: Written(
            lambda net, x: net.read(torch.cat([net.one(x).relu(), x, net.two(x).relu()], 1)),
            one=nn.Linear(2, 4), two=nn.Linear(2, 3), read=nn.Linear(9, 2),
        ),
        (2,),
        [3, 4],
    ),
    "skips and transposed convolution": Example(
        lambda: Written(
            u_shaped, one=nn.Conv2d(2, 4, 1), two=nn.Conv2d(4, 5, 1), three=nn.ConvTranspose2d(5, 3, 2, 2),
            read=nn.Conv2d(9, 2, 1),
        ),
        (2, 4, 4),
        [3, 4, 5],
    ),
    "maximum over points": Example(
        lambda: Written(
            lambda net, x: net.read(net.one(x.movedim(-1, 1)).max(2).values),
            one=nn.Conv1d(2, 4, 1), read=nn.Linear(4, 3),
        ),
        (5, 2),
        [4],
    ),
    "gated halves": Example(lambda: nn.Sequential(nn.Linear(2, 8), nn.GLU(), nn.Linear(4, 2)), (2,), [4]),
    "slices": Example(
        lambda: Written(
            lambda net, x: net.read((y := net.one(x).relu())[:, :3] * y[:, 3:6] + y[:, 6:].sum(1, keepdim=True)),
            one=nn.Linear(2, 8), read=nn.Linear(3, 2),
        ),
        (2,),
        [2, 3],
    ),
    "every other channel": Example(
        lambda: Written(
            lambda net, x: net.read(net.two((y := net.one(x))[:, ::2] - y[:, 1::2]).relu()),
            one=nn.Linear(2, 8), two=nn.Linear(4, 5), read=nn.Linear(5, 2),
        ),
        (2,),
        [5],
    ),
    "parameters of the network's own": Example(
        lambda: Written(
            lambda net, x: net.read((net.one(x) * net.scale[:, None] + net.shift.view(1, -1, 1)).relu().amax(-1)),
            one=nn.Conv1d(2, 4, 1), scale=number(4), shift=number(4), read=nn.Linear(4, 2),
        ),
        (2, 5),
        [4],
    ),
    "one weight twice": Example(lambda: Written(shared_weight, one=nn.Linear(3, 5)), (3,), [5]),
    "one module twice": Example(
        lambda: Written(twice, one=nn.Linear(3, 5), again=nn.Linear(5, 5), read=nn.Linear(5, 2)), (3,), [5]
    ),
    "weight normalisation": Example(
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 5)), nn.ReLU(), nn.Linear(5, 2)),
        (3,),
        [5],
    ),
    "matrix products": Example(
        lambda: Written(
            lambda net, x: torch.einsum("nlc,cd->nd", (x @ net.one).relu() @ net.two, net.three),
            one=number(2, 4), two=number(4, 3), three=number(3, 2),
        ),
        (5, 2),
        [3, 4],
    ),
    "written into zeros": Example(
        lambda: Written(written_into_zeros, one=nn.Linear(2, 4), two=nn.Linear(2, 3), read=nn.Linear(7, 2)),
        (2,),
        [3, 4],
    ),
    "attention": Example(
        lambda: Written(
            transformer, one=nn.Linear(2, 4), place=number(5, 4), norm=nn.LayerNorm(4), norm2=nn.LayerNorm(4),
            attention=nn.MultiheadAttention(4, 2, batch_first=True), up=nn.Linear(4, 6), down=nn.Linear(6, 4),
            read=nn.Linear(4, 3),
        ),
        (5, 2),
        [4, 6],
    ),
    "recurrence": Example(
        lambda: Written(
            lambda net, x: net.read(net.two(net.rnn(net.one(x))[0][:, -1]).relu()),
            one=nn.Linear(2, 4), rnn=nn.LSTM(4, 4, batch_first=True), two=nn.Linear(4, 5), read=nn.Linear(5, 2),
        ),
        (5, 2),
        [5],
    ),
}  # fmt: skip
