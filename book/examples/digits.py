"""Two perceptrons on scikit-learn's digits, trained from two starts: `python digits.py` writes a.pt and b.pt."""

import torch
from sklearn.datasets import load_digits
from torch import nn

images, labels = map(torch.as_tensor, load_digits(return_X_y=True))
images = images.float() / 16
train, test = (images[:1200], labels[:1200]), (images[1200:], labels[1200:])


def make():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def fit(network, seed, epochs=20):
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(epochs):
        for rows in torch.randperm(1200, generator=order).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(train[0][rows]), train[1][rows]).backward()
            optimiser.step()
    return network


if __name__ == "__main__":
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(fit(make(), seed).state_dict(), f"{'ab'[seed]}.pt")
