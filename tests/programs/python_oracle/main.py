# SPDX-License-Identifier: Apache-2.0
"""Runs oracle.py as a module: what the parser made of the main script stays until that ends, in a list that no name leads to."""
import oracle

LISTS = {"main": [[i] for i in range(100)]}

if __name__ == "__main__":
    oracle.main()
