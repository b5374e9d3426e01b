#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the fuzzer of the image parser for a while: fuzz.py FUZZ_IMAGE DIRECTORY
SECONDS. DIRECTORY gets the corpus and, if there is a finding, the input that
caused it. TAP.
"""
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import images  # noqa: E402


def write_corpus(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name, data in images.corpus():
        (directory / name).write_bytes(data)


def main():
    program, directory, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    corpus = directory / "corpus"
    write_corpus(corpus)
    run = subprocess.run(
        [program, f"-max_total_time={seconds}", "-max_len=8192", "-seed=1",
         "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
         f"-artifact_prefix={directory}/finding-", corpus],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", check=False)
    (directory / "fuzz.log").write_text(run.stdout, encoding="utf-8")

    executed = re.search(r"number_of_executed_units: (\d+)", run.stdout)
    executed = int(executed.group(1)) if executed else 0
    print("TAP version 13")
    print("1..1")
    print(f"# {executed} inputs in {seconds} s, log: {directory}/fuzz.log")
    if run.returncode == 0 and executed:
        print("ok 1 - fuzz: image files")
        return 0
    print("not ok 1 - fuzz: image files")
    for line in run.stdout.splitlines()[-15:]:
        print(f"# {line}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
