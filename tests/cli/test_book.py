"""`lmc build` and `lmc serve`: one-line system errors, and a book that is served until stopped."""

import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from small_project import lmc, write_book


def test_a_system_error_is_one_line(tmp_path: Path) -> None:
    write_book(tmp_path)
    (tmp_path / "_build").write_text("in the way")
    done = lmc("build", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"lmc: \[Errno \d+\] .*_build.*\n", done.stderr)


def test_serve_answers_until_it_is_stopped(tmp_path: Path) -> None:
    html = tmp_path / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("hello")
    command = [sys.executable, "-u", "-m", "lmc_utils.cli", "serve", "--port", "0"]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = server.stdout.readline().split()[0]
        assert urllib.request.urlopen(address, timeout=10).read() == b"hello"
        taken = lmc("serve", "--port", address.rstrip("/").rpartition(":")[2], cwd=tmp_path)
        assert taken.returncode == 2
        assert "cannot use port " in taken.stderr
    finally:
        time.sleep(0.1)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    assert server.returncode == 130
