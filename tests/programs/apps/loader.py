# SPDX-License-Identifier: Apache-2.0
"""A PyTorch DataLoader whose workers read samples that the parent has loaded.

usage: loader.py [list|tensor|batches]     batches: a tensor, of which a worker takes a whole batch at once
"""
import sys

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

SAMPLES = 200_000
BATCH = 1000
KIND = sys.argv[1] if len(sys.argv) > 1 else "list"


class Samples(Dataset):
    def __init__(self):
        self.values = [float(number) for number in range(SAMPLES)] if KIND == "list" else torch.arange(SAMPLES, dtype=torch.float64)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index]


SAMPLE_DATA = Samples()


def loader():
    if KIND == "batches":
        sampler = BatchSampler(RandomSampler(SAMPLE_DATA), BATCH, drop_last=False)
        return DataLoader(SAMPLE_DATA, sampler=sampler, batch_size=None, num_workers=2)
    return DataLoader(SAMPLE_DATA, batch_size=BATCH, shuffle=True, num_workers=2)


if __name__ == "__main__":
    torch.manual_seed(1)
    print(round(sum(float(batch.sum()) for batch in loader())))
