#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what the pages of docs/recipes show, and puts the reports, the diffs and the figures of the tests in their places.

Usage: sudo refresh_recipes.py SOURCE BIN [PAGE...]     BIN is below SOURCE, for instance build/release/bin; default: all pages
As tests/docs/refresh_reports.py does it: the tree is at /home/you/cowtrace, the programs of tests/programs/apps are in /home/you/example,
what a page leaves out is a line "...". Look at the difference before you commit it: the prose may have to follow.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "docs"), str(pathlib.Path(__file__).resolve().parent)]
from refresh_reports import HOME, INSIDE, enter_namespace, headline, replace, run, section  # noqa: E402

TIMEOUT = 300  # seconds: after so long something hangs
EXAMPLE = HOME / "example"
PYTHON = "/usr/bin/python3"
REQUESTS = 90
PLACE = re.compile(r"(<!-- measured: (\w+) ?(\w*) -->\n).*?(<!-- end -->)", re.DOTALL)  # a test, and a word of its methods


def parts(report, *wanted):
    """The headline and these (title, lines) of a report, "..." in between; sections that it has not are left out."""
    lines = headline(report)
    for title, count in wanted:
        if any(line.startswith(title) for line in report):
            lines += ["...", *section(report, title, count)]
    return once(lines)


def once(lines):
    """Each "..." once, and no blanks at the ends of lines, which a process title can have."""
    return [line.rstrip() for number, line in enumerate(lines) if line != "..." or lines[number - 1] != "..."]


class Recipes:
    def __init__(self, source, binaries):
        self.source, self.bin = source, binaries
        self.cowtrace = str(binaries / "cowtrace")
        shutil.copytree(source / "tests/programs/apps", EXAMPLE, dirs_exist_ok=True)

    def page(self, name):
        return self.source / "docs/recipes" / f"{name}.md"

    def traced(self, name, trace, words, *wanted):
        """A program from its start to its end."""
        own, report = run(EXAMPLE, self.cowtrace, *(["-o", trace] if trace else []), "--", PYTHON, *words)
        output = f"-o {trace} " if trace else ""
        replace(self.page(name), f"$ sudo cowtrace {output}-- {PYTHON} {' '.join(words)}", [*own, *parts(report, *wanted)])

    def attached(self, name, prompt, trace, pid, work, *wanted):
        """A server that runs, attached to while `work` is done."""
        child = subprocess.Popen([self.cowtrace, "attach", "-o", trace, str(pid)], cwd=EXAMPLE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True)
        first = child.stderr.readline().rstrip("\n")
        work()
        child.send_signal(signal.SIGINT)
        report = [first, *child.communicate(timeout=TIMEOUT)[1].splitlines()]
        if child.returncode != 0:
            sys.exit("\n".join(report))
        if prompt:
            replace(self.page(name), prompt, parts(report, *wanted))

    def diff(self, name, before, after, *wanted):
        lines, _ = run(EXAMPLE, self.cowtrace, "diff", before, after)
        end = next(number for number, line in enumerate(lines) if not line)
        shown = lines[:end]
        for title, count in (("Totals", None), ("Causes", 5), *wanted):
            shown += ["...", *section(lines, title, count)] if any(line.startswith(title) for line in lines) else []
        replace(self.page(name), f"$ cowtrace diff {before} {after}", once(shown))

    def figures(self, name):
        """Those of one run of the test that the page names."""
        page = self.page(name)
        text = page.read_text(encoding="utf-8")
        ((test, word),) = {(found[2], found[3]) for found in PLACE.finditer(text)}
        path = EXAMPLE / "figures.jsonl"
        path.unlink(missing_ok=True)
        done = subprocess.run([PYTHON, "-B", self.source / f"tests/apps/test_{test}.py"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=TIMEOUT,
                              env={**os.environ, "COWTRACE_FIGURES": str(path), "COWTRACE_BIN": str(self.bin), "COWTRACE_APPS": "required"})
        if done.returncode != 0:
            sys.exit(done.stdout)
        rows = ["| test | oracle | it says | cowtrace says | difference |", "| --- | --- | --- | --- | --- |"]
        for what, oracle, says, told, sums in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if word not in what:
                continue
            difference = f"{100 * abs(told - says) / says:.1f} %" if says else "none"
            rows.append(f"| {what} | {oracle} | {says:,} | {told:,}{f': {sums}' if sums else ''} | {difference} |")
        page.write_text(PLACE.sub(lambda found: "\n".join([found[1].rstrip("\n"), *rows, found[4]]), text), encoding="utf-8")
        print(f"{page.name}: {test}")

    # -- a method for each page ---------------------------------------------------------------------------------------------

    def multiprocessing_pool(self, name):
        self.traced(name, "before.cow", ["pool.py", "objects"], ("Processes", None), ("Sites", 3), ("Advice", None))
        self.traced(name, "after.cow", ["pool.py", "array"], ("Processes", None))
        self.diff(name, "before.cow", "after.cow", ("Objects", 3))
        self.traced(name, None, ["pool.py", "objects", "spawn"], ("Processes", None))
        self.traced(name, None, ["pool.py", "objects", "forkserver"], ("Processes", None))
        self.figures(name)

    def pytest_and_ci(self, name):
        suite = (PYTHON, "-m", "pytest", "-q", "workers_test.py")
        for told, options, kind, status in (("$ sudo cowtrace -q", ["-q"], "array", 0), ("$ sudo PRICES=list cowtrace", [], "list", 124)):
            done = subprocess.run([self.cowtrace, *options, "-o", f"{kind}.cow", "--max-copied", "16MiB", "--", *suite], cwd=EXAMPLE, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, check=False, timeout=TIMEOUT, env={**os.environ, "PRICES": kind, "PYTHONDONTWRITEBYTECODE": "1"})
            if done.returncode != status:
                sys.exit(f"status {done.returncode}: {done.stderr}")
            *report, verdict = done.stderr.splitlines()
            wanted = ("Processes", None), ("Objects", 3), ("Sites", 3), ("Advice", None)
            lines = [*parts(report, *wanted), "..."] if report else []
            replace(self.page(name), f"{told} -o {kind}.cow --max-copied 16MiB -- {' '.join(suite)}", [*done.stdout.splitlines(), *once([*lines, verdict])])
        self.diff(name, "array.cow", "list.cow", ("Objects", 3))
        self.figures(name)

    def process_pool_executor(self, name):
        self.traced(name, "before.cow", ["executor.py"], ("Processes", None), ("Causes", 4), ("Sites", 3), ("Advice", 7))
        self.traced(name, "after.cow", ["executor.py", "frozen"], ("Processes", None))
        self.diff(name, "before.cow", "after.cow", ("Objects", 3))
        self.figures(name)

    def pytorch_dataloader(self, name):
        for kind in ("list", "tensor", "batches"):
            self.traced(name, f"{kind}.cow", ["loader.py", kind], ("Processes", None), ("Causes", 4), ("Objects", 3), ("Sites", 3), ("Advice", 8))
        self.diff(name, "list.cow", "tensor.cow", ("Objects", 3))
        self.diff(name, "list.cow", "batches.cow", ("Objects", 3))
        self.figures(name)

    def gunicorn(self, name):
        from support import children_of, wait_until
        from test_gunicorn import Connection

        def ask(number):
            connection = Connection(EXAMPLE / "gunicorn.sock")
            connection.request("GET", f"/product/{number}")
            connection.getresponse().read()
            connection.close()

        def load():
            with concurrent.futures.ThreadPoolExecutor(4) as clients:
                list(clients.map(ask, range(0, REQUESTS * 100, 100)))

        for trace in ("before", "frozen"):
            with server(["gunicorn", "--config", f"gunicorn_{trace}.py", "--bind", "unix:gunicorn.sock", "--worker-tmp-dir", "/dev/shm"]) as master:
                wait_until(lambda: len(children_of(master.pid)) == 3, "gunicorn has its workers")
                self.attached(name, f"$ sudo cowtrace attach -o {trace}.cow $(pgrep -o gunicorn)   # Ctrl-C after {REQUESTS} requests", f"{trace}.cow",
                              master.pid, load, ("Processes", None), ("Causes", 4), ("Objects", 3), ("Sites", 3), ("Advice", 7))
        self.diff(name, "before.cow", "frozen.cow", ("Objects", 3))
        self.figures(name)

    def celery_prefork(self, name):
        from redis_server import RedisServer
        from support import children_of, wait_until
        redis = RedisServer(EXAMPLE)
        os.environ["BROKER"] = f"redis+socket://{redis.path}"
        sys.path.insert(0, str(EXAMPLE))
        with server(redis.command):
            wait_until(redis.answers, "Redis answers")
            import tasks

            def load():
                for result in [tasks.rank.delay(100 * number) for number in range(REQUESTS)]:
                    result.get(timeout=TIMEOUT)

            for trace, frozen in (("before", "0"), ("frozen", "1")):
                os.environ["FROZEN"] = frozen
                with server([PYTHON, "-B", "-m", "celery", "--app", "tasks", "worker", "--concurrency", "3", "--loglevel", "warning",
                             "--pidfile", "celery.pid"]) as main:
                    wait_until(lambda: len(children_of(main.pid)) == 3 and tasks.app.control.ping(), "celery answers")
                    self.attached(name, f"$ sudo cowtrace attach -o {trace}.cow $(cat celery.pid)   # Ctrl-C after {REQUESTS} tasks",
                                  f"{trace}.cow", main.pid, load, ("Processes", None), ("Causes", 4), ("Objects", 3), ("Sites", 3), ("Advice", 7))
            redis.shutdown()
        self.diff(name, "before.cow", "frozen.cow", ("Objects", 3))
        self.figures(name)

    def redis_bgsave(self, name):
        from redis_server import RedisServer
        from support import wait_until

        def saved_first():
            redis.client.bgsave()
            wait_until(redis.saved, "the save has ended")
            redis.write(4000)

        def written_meanwhile():
            redis.save_under_writes(4000)
            wait_until(redis.saved, "the save has ended")

        for trace, work in (("meanwhile", written_meanwhile), ("afterwards", saved_first)):
            folder = EXAMPLE / trace  # the next one must not load what this one has saved
            folder.mkdir()
            redis = RedisServer(folder)
            with server(redis.command):
                pid = wait_until(redis.answers, "Redis answers")
                redis.populate()
                self.attached(name, f"$ sudo cowtrace attach -o {trace}.cow $(pidof redis-server)   # Ctrl-C after BGSAVE", f"{trace}.cow",
                              pid, work, ("Processes", None), ("Mechanisms", None), ("Stalls", None))
                if trace == "meanwhile":
                    said = redis.persistence()
                    replace(self.page(name), "$ redis-cli info persistence | grep cow_size", [f"rdb_last_cow_size:{said['rdb_last_cow_size']}"])
                redis.shutdown()
        self.diff(name, "meanwhile.cow", "afterwards.cow")
        self.figures(name)


class server:
    """A server in the folder of the example, killed with its children at the end."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=EXAMPLE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        return self.process

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
        self.process.wait()


def main():
    if len(sys.argv) < 3 or os.geteuid() != 0:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1]).resolve()
    if INSIDE not in os.environ:
        enter_namespace(source)
    inside = HOME / "cowtrace"
    os.environ["COWTRACE_SOURCE"] = str(inside)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path.insert(0, str(inside / "tests/integration"))
    recipes = Recipes(inside, inside / pathlib.Path(sys.argv[2]).resolve().relative_to(source))
    for path in sorted((inside / "docs/recipes").glob("*.md")):
        if path.stem != "README" and (not sys.argv[3:] or path.stem in sys.argv[3:]):
            getattr(recipes, path.stem.replace("-", "_"))(path.stem)


if __name__ == "__main__":
    main()
