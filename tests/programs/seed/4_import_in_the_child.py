# SPDX-License-Identifier: Apache-2.0
from multiprocessing import Pool
import os
import sys

def f(_x):
    import statistics
    pid = os.getpid()
    print(pid, id(sys.modules['statistics']))

if __name__ == '__main__':
    with Pool(5) as p:
        p.map(f, [1, 2, 3])
