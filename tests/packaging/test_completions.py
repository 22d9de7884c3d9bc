# SPDX-License-Identifier: Apache-2.0
"""What bash, zsh and fish offer, asked of the shells themselves, against what cowtrace --help and its error messages say.

COWTRACE_BIN is the directory of the built binaries; the completions are beside it. A shell that is not installed is left out.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["COWTRACE_BIN"])
COMPLETIONS = BIN.parent / "completions"
SUBCOMMANDS = ("run", "attach", "report", "diff", "top", "doctor")
TIMEOUT = 300


def said(*arguments):
    done = subprocess.run([BIN / "cowtrace", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return done.stdout + done.stderr


def options_of(subcommand):
    starts = re.findall(r"^  (-[^ ]+)", said(subcommand, "--help"), re.M)
    return {name for start in starts for name in start.split(",")}


def choices_of(subcommand, option, *rest):
    """The values that the error message of a wrong one names."""
    message = said(subcommand, option, "no-such-value", *rest)
    listed = re.search(r": use (?:one of )?(.*)$", message, re.M)
    assert listed, message
    return set(re.split(r", | or ", listed.group(1)))


class Bash:
    """Calls the function that `complete` names, as bash does for a Tab."""

    SCRIPT = """
    {library}
    . {file}
    COMP_WORDS=({words})
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    COMP_LINE="${{COMP_WORDS[*]}}"
    COMP_POINT=${{#COMP_LINE}}
    compopt() {{ :; }}
    _cowtrace cowtrace "${{COMP_WORDS[COMP_CWORD]}}"
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    def offers(self, *words, library=""):
        # "--option=value" is three words of bash's.
        parts = [part for word in words for part in (re.split("(=)", word) if word.startswith("--") else [word])]
        script = self.SCRIPT.format(file=COMPLETIONS / "bash", words=" ".join(f"'{part}'" for part in ("cowtrace", *parts)), library=library)
        done = subprocess.run(["bash", "--norc", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=True)
        if done.stderr:
            raise AssertionError(done.stderr)
        return set(done.stdout.split())


class Fish:
    def offers(self, *words):
        script = f"source {COMPLETIONS / 'fish'}; complete -C 'cowtrace {' '.join(words)}'"
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(["fish", "--no-config", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=True,
                                  env={**os.environ, "HOME": home})
        if done.stderr:
            raise AssertionError(done.stderr)
        offered = {line.split("\t")[0] for line in done.stdout.splitlines()}
        return {re.sub(r"^--[\w-]+=(?=.)", "", word) for word in offered}


class Zsh:
    """A zsh on a terminal of its own: what a Tab lists is read off its screen."""

    SETUP = r"""PS1='READY> '; setopt no_beep; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
zstyle ':completion:*' verbose no; zstyle ':completion:*' menu no; LISTMAX=0
zle -C show-list list-choices _main_complete
show() {{ zle show-list; zle -R; print -rn -- ALL-SHOWN }}
zle -N show; bindkey '^X' show
"""

    def offers(self, *words):
        line = f"cowtrace {' '.join(words)}"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(COMPLETIONS / "zsh", pathlib.Path(folder, "_cowtrace"))
            setup = pathlib.Path(folder, "setup")
            setup.write_text(self.SETUP.format(folder=folder), encoding="utf-8")
            pid, terminal = pty.fork()
            if pid == 0:
                os.environ.update(TERM="xterm", HOME=folder)
                os.execvp("zsh", ["zsh", "-f", "-i"])
            try:
                self.type(terminal, f"stty rows 400 cols 200; source {setup}\n", b"READY> ")
                screen = self.type(terminal, f"{line}\x18", b"ALL-SHOWN")
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                os.close(terminal)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", " ", screen.decode(errors="replace").replace("\0", ""))
        return set(text.partition("\n")[2].removesuffix("ALL-SHOWN").split())

    @staticmethod
    def type(terminal, keys, until):
        """What is on the screen when `until` is."""
        os.write(terminal, keys.encode())
        screen, deadline = b"", time.monotonic() + TIMEOUT
        while until not in screen:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"zsh did not show {until}: {screen}")
            screen += os.read(terminal, 65536)
        return screen


class Offers:
    """The tests of each shell."""

    def test_every_option_of_help(self):
        for subcommand in SUBCOMMANDS:
            with self.subTest(subcommand):
                real = options_of(subcommand)
                self.assertIn("--help", real)
                offered = {word for word in self.shell.offers(subcommand, "--") if word.startswith("--")}
                self.assertEqual(offered - {"--"}, {name for name in real if name.startswith("--")})

    def test_run_may_be_left_out(self):
        offered = self.shell.offers("--")
        self.assertLessEqual({name for name in options_of("run") if name.startswith("--")} | {"--version"}, offered)
        self.assertIn("fentry", self.shell.offers("--backend", ""))

    def test_subcommands(self):
        self.assertEqual(self.shell.offers("") & {*SUBCOMMANDS, "scenario"}, set(SUBCOMMANDS))

    def test_fixed_values(self):
        for subcommand, option, rest in (("run", "--backend", ("--", "true")), ("run", "--stacks", ("--", "true")), ("run", "--snapshot", ("--", "true")),
                                         ("run", "--detail", ("--", "true")), ("run", "--color", ("--", "true")), ("diff", "--format", ("a", "b")),
                                         ("attach", "--color", ("1",)), ("report", "--color", ("x",))):
            with self.subTest(f"{subcommand} {option}"):
                real = choices_of(subcommand, option, *rest) - {"native,python"}  # the same as python,native
                offered = self.shell.offers(subcommand, option, "")
                self.assertLessEqual(real, offered)
                self.assertNotIn("no-such-value", offered)

    def test_formats(self):
        names = {"text", "json", "html", "folded", "speedscope", "pprof", "perfetto", "jsonl"}  # docs/commands.md
        self.assertLessEqual(names, self.shell.offers("report", "--format", ""))
        self.assertIn("speedscope", self.shell.offers("attach", "--format", "s"))

    def test_value_behind_an_equals_sign(self):
        offered = self.shell.offers("run", "--snapshot=p")
        self.assertTrue({"passive", "--snapshot=passive"} & offered, offered)
        self.assertFalse({"exact", "--snapshot=exact"} & offered, offered)

    def test_files_users_and_processes(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one.cow", "two.cow"):
                pathlib.Path(folder, name).touch()
            for words in (("run", "-o", f"{folder}/"), ("report", f"{folder}/"), ("diff", f"{folder}/")):
                with self.subTest(words[0]):
                    offered = {word.rsplit("/", 1)[-1] for word in self.shell.offers(*words)}
                    self.assertLessEqual({"one.cow", "two.cow"}, offered)
        self.assertIn("root", self.shell.offers("run", "-u", "roo") | self.shell.offers("run", "-u", ""))
        for subcommand in ("attach", "top"):
            self.assertIn(str(os.getpid()), self.shell.offers(subcommand, ""), subcommand)

    def test_the_traced_command_is_its_own(self):
        offered = self.shell.offers("run", "-q", "--", "mkfif") | self.shell.offers("-q", "--", "mkfif")
        self.assertTrue(any("mkfifo" in word for word in offered), offered)
        behind = self.shell.offers("run", "--", "true", "--b")
        self.assertFalse({"--backend", "--buffer"} & behind, behind)


@unittest.skipUnless(shutil.which("bash"), "no bash")
class BashOffers(Offers, unittest.TestCase):
    shell = Bash()

    def test_with_bash_completion(self):
        library = pathlib.Path("/usr/share/bash-completion/bash_completion")
        if not library.exists():
            self.skipTest("no bash-completion")
        # _command_offset asks for the completion of the other command, which bash-completion loads.
        offered = self.shell.offers("run", "--", "mkfif", library=f". {library}")
        self.assertIn("mkfifo", offered)

    def test_short_options(self):
        for subcommand in SUBCOMMANDS:
            self.assertEqual(self.shell.offers(subcommand, "-") - {""}, options_of(subcommand))


@unittest.skipUnless(shutil.which("fish"), "no fish")
class FishOffers(Offers, unittest.TestCase):
    shell = Fish()


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class ZshOffers(Offers, unittest.TestCase):
    shell = Zsh()


if __name__ == "__main__":
    unittest.main()
