#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that the operator's page has each reason for which an image is rejected.

Who sees such a line in the log searches for it there. A reason is found if the page
has one of its parts, four words or more between values and punctuation, or three if
there are no longer ones. Prints TAP.
"""
import pathlib
import re
import sys

import faults

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCE = TOP / "kernel/liveupdate/kho_image.c"
PAGE = TOP / "Documentation/admin-guide/mm/kho.rst"

FUNCTION = r"^[^\s/*#}}][^;{{}}]*\b{}\([^;{{}}]*\)\n{{\n(.*?)^}}"
LOG = ["kho_log_version", "kho_version_advice", "kho_log_component",
       "kho_log_takeover", "kho_log_unknown"]


def reasons(source, function):
    body = re.search(FUNCTION.format(function), source,
                     re.MULTILINE | re.DOTALL)
    if not body:
        return []
    return re.findall(r'(?:pr_warn\(|return )"((?:\\.|[^"\\])*)"', body[1])


def parts(reason):
    text = re.sub(r"\\n|%\w+", ",", reason)
    found = [part.strip() for part in re.split(r"[,:;']", text)]
    return [part for part in found if len(part.split()) >= 4] or \
        [part for part in found if len(part.split()) == 3]


def missing(source, page):
    page = " ".join(page.split())
    for function in LOG:
        found = reasons(source, function)
        if not found:
            yield f"{SOURCE.name} has no reasons in {function}()"
        for reason in found:
            if not any(part in page for part in parts(reason)):
                yield f'{PAGE.name} lacks "{reason}"'


# The tests

def each_reason_is_on_the_page():
    return list(missing(SOURCE.read_text(encoding="utf-8"),
                        PAGE.read_text(encoding="utf-8")))


def missing_reason_is_noticed():
    """The check itself."""
    source = SOURCE.read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    if not list(missing(source, page.replace("starts with KHO off", ""))):
        yield "not noticed: a reason that the page lacks"
    if not list(missing(source.replace("kho_log_unknown", "kho_new"), page)):
        yield "not noticed: a function that is gone"


TESTS = [
    each_reason_is_on_the_page,
    missing_reason_is_noticed,
]


if __name__ == "__main__":
    sys.exit(faults.judge("messages", TESTS))
