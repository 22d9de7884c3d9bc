# SPDX-License-Identifier: Apache-2.0
"""pool_work.py [TASKS]: a multiprocessing.Pool as services have them: the parent loads a table of 100,000 records, two workers answer TASKS
queries over it. They write nothing of it, and break its pages all the same. Prints the seconds from the making of the pool to its end."""
import multiprocessing
import sys
import time

TASKS = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
RECORDS = [{"id": 1_000_000 + number, "name": f"item {number}", "price": number * 1.19, "tags": (number % 97, number % 89)} for number in range(100_000)]


def query(task):
    """The dearest records of a tag, by name."""
    found = [(record["price"], record["name"]) for record in RECORDS if task in record["tags"]]
    return sorted(found, reverse=True)[:10], sum(record["price"] for record in RECORDS)


if __name__ == "__main__":
    began = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers = pool.map(query, range(TASKS), chunksize=2)
        pool.close()
        pool.join()
    print(f"answered {len(answers)} queries in {time.perf_counter() - began:.6f} s")
