# SPDX-License-Identifier: Apache-2.0
"""What the programs beside this file share: workers that are forked one after the other and live until all are done, as those of a
prefork server do."""
import os
import sys
import traceback


def run(count, work):
    """Forks `count` workers that each call work(number). Does not return."""
    done_reader, done_writer = os.pipe()
    end_reader, end_writer = os.pipe()
    workers = []
    for number in range(count):
        worker = os.fork()
        if worker == 0:
            os.close(end_writer)
            _live(work, number, done_writer, end_reader)
        workers.append(worker)
    os.close(done_writer)
    while os.read(done_reader, count):
        pass
    os.close(end_writer)
    sys.exit(max(os.waitpid(worker, 0)[1] for worker in workers) and 1)


def _live(work, number, done_writer, end_reader):
    status = 0
    try:
        work(number)
    except BaseException:  # whatever it is, a worker must not go on with the parent's program
        traceback.print_exc()
        sys.stderr.flush()
        status = 1
    os.close(done_writer)
    os.read(end_reader, 1)
    os._exit(status)
