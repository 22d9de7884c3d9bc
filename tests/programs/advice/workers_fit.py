# SPDX-License-Identifier: Apache-2.0
"""Workers that copy a part of what they inherit and make as much of their own. At the end, when all live still, each prints how much
anonymous memory it uses, divided by who shares it (Pss_Anon of /proc/PID/smaps_rollup): the sum is what the family uses."""
import os
import sys

TABLE = bytearray(32 << 20)
WORKERS = 3


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss_Anon:"))


def serve(ready, end):
    for page in range(0, 8 << 20, 4096):
        TABLE[page] += 1
    own = bytearray(b"x" * (8 << 20))
    os.write(ready, b"1")
    os.read(end, 1)
    os._exit(len(own) % 2)


if __name__ == "__main__":
    for page in range(0, len(TABLE), 4096):
        TABLE[page] = 1
    ready_reader, ready_writer = os.pipe()
    end_reader, end_writer = os.pipe()
    pids = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os.close(end_writer)
            serve(ready_writer, end_reader)
        pids.append(pid)
    for _ in pids:
        os.read(ready_reader, 1)
    print(sum(map(anonymous_bytes, [os.getpid(), *pids])))
    os.close(end_writer)
    sys.exit(max(os.waitpid(pid, 0)[1] for pid in pids) and 1)
