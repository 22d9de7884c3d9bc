# SPDX-License-Identifier: Apache-2.0
from multiprocessing import Pool
import os
import sys
import statistics

def f(x):
    pid = os.getpid()
    n = 1234 ** x
    sys.modules['statistics'] = n
    print(pid, id(sys.modules['statistics']))

if __name__ == '__main__':
    with Pool(5) as p:
        p.map(f, [1, 2, 3])
