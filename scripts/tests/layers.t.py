#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that the files of Kexec Handover use each other in one direction only.

The layers are those of the head comment of kexec_handover_internal.h. A file may use
what a file of a lower layer defines. What uses what is taken from the sources: names
that a file defines for others, and where else they stand. Prints TAP.
"""
import pathlib
import re
import sys

import faults

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = TOP / "kernel/liveupdate"

INTERNAL = SOURCES / "kexec_handover_internal.h"


def read_layers(text):
    """The table in the head comment: lowest first, a list of files for each."""
    layers = []
    for number, file in re.findall(r"^ \* (\d| ) (\w+)\.c ", text, re.MULTILINE):
        if number.strip():
            layers.append([])
        layers[-1].append(file)
    return layers


LAYERS = read_layers(INTERNAL.read_text(encoding="utf-8"))

# Whether there is KHO at all: flags, which belong to no layer.
FLAGS = {"is_kho_boot", "kho_is_enabled"}

# The node of the components is part of the core's FDT: kho_compat.c edits it when
# the versions that are written change. The core calls kho_compat.c to fill it.
SHARED_FDT = {
    ("kho_compat", name)
    for name in ("kho_edit_out_fdt", "kho_fdt_crowded", "kho_in_fdt")
}

# Told what has changed; they return nothing that anything depends on.
OBSERVERS = {
    "kho_sysfs_notify", "kho_sysfs_notify_image", "kho_sysfs_add_component",
    "kho_sysfs_remove_component", "kho_debugfs_init", "kho_debugfs_exit",
    "kho_debugfs_add_in", "kho_debugfs_add_out", "kho_debugfs_remove_out",
    "kho_agree_late",
}

# The headers of the layers; none includes one of a layer above it.
HEADERS = [
    ["linux/kho/abi/"],
    ["linux/kho/compat.h", "linux/kho/radix_tree.h", "linux/kho/image.h"],
    ["linux/kexec_handover.h", "linux/kho/block.h"],
    ["linux/liveupdate.h"],
]

# A component stores the structures of another: who, and whose.
STORED = {("vmalloc.h", "compat.h")}


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def defined_names(text):
    """What a C file defines and others can use: functions and variables."""
    text = re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.MULTILINE)
    for line in re.findall(r"^(?!static\b|typedef\b|extern\b)\w[^;:{}()]*?"
                           r"(\w+)(?:\([^;{}]*\)\s*\{|(?:\[\w*\])?\s*(?:=|;))",
                           text, re.MULTILINE):
        yield line


def uses(files):
    """(user, used, name); files: name of a file -> its text"""
    owner = {name: file for file, text in files.items()
             for name in defined_names(text)}
    for file, text in files.items():
        for name in sorted(set(re.findall(r"\b[A-Za-z_]\w*\b", text))):
            if owner.get(name, file) != file:
                yield file, owner[name], name


def level(file):
    for number, layer in enumerate(LAYERS):
        if file in layer:
            return number
    return None


def wrong_uses(files):
    for file in files:
        if level(file) is None:
            yield f"{file}.c is in no layer, see the head of {INTERNAL}"
    for user, used, name in uses(files):
        if name in FLAGS | OBSERVERS or (user, name) in SHARED_FDT:
            continue
        if None in (level(user), level(used)):
            continue
        if level(used) >= level(user):
            yield f"{user}.c uses {name} of {used}.c, which is not below it"


def header_level(path):
    for number, layer in enumerate(HEADERS):
        if any(path == name or name.endswith("/") and path.startswith(name)
               for name in layer):
            return number
    return None


def included(text):
    return re.findall(r"^#include <([^>]+)>", text, re.MULTILINE)


def wrong_includes(headers):
    """headers: path below include/ -> text"""
    for path, text in headers.items():
        for other in included(text):
            if header_level(other) is None or header_level(path) is None:
                continue
            if header_level(other) > header_level(path):
                yield f"{path} includes {other}, which is above it"
            elif path.startswith("linux/kho/abi/") and \
                    (pathlib.Path(path).name,
                     pathlib.Path(other).name) not in STORED:
                yield f"{path} includes {other}, whose structures it does " \
                    "not store"


def read_sources():
    return {path.stem: without_comments(path.read_text(encoding="utf-8"))
            for path in sorted(SOURCES.glob("*.c"))}


def read_headers():
    include = TOP / "include"
    return {str(path.relative_to(include)): path.read_text(encoding="utf-8")
            for path in [*include.glob("linux/kho/**/*.h"),
                         include / "linux/kexec_handover.h"]}


# The tests

def no_file_uses_one_above_it():
    return list(wrong_uses(read_sources()))


def no_header_includes_one_above_it():
    return list(wrong_includes(read_headers()))


def core_knows_no_component():
    """Neither the core nor what is below it names what is built on top."""
    core = level("kexec_handover")
    sources = read_sources()
    return [f"{file}.c names {name}" for layer in LAYERS[:core + 1]
            for file in layer for name in
            sorted(set(re.findall(r"\b(?:luo|memfd|liveupdate|reserve_mem)_\w+",
                                  sources[file])))]


def new_arrow_up_is_found():
    """The check itself: each of these has to be noticed."""
    sources = read_sources()
    cases = {
        "kho_scratch": "static int x(void) { return kho_take_over(); }",
        "kho_takeover": "static int x(void) { return kho_preserve_pages(); }",
        "kexec_handover": "int x(void) { return kho_check_load(image); }",
        "kho_radix": "void x(void) { kho_scratch_cnt = 0; }",
        "kho_block": "void x(void) { kho_restore_vmalloc(v); }",
    }
    for file, code in cases.items():
        changed = {**sources, file: sources[file] + "\n" + code + "\n"}
        if len(list(wrong_uses(changed))) <= len(list(wrong_uses(sources))):
            yield f"not noticed: {code} in {file}.c"
    if not list(wrong_uses({**sources, "kho_new": ""})):
        yield "not noticed: a file in no layer"
    headers = {"linux/kho/compat.h": "#include <linux/kexec_handover.h>\n",
               "linux/kho/abi/block.h": "#include <linux/kho/abi/vmalloc.h>\n"}
    for path, text in headers.items():
        if not list(wrong_includes({path: text})):
            yield f"not noticed: {text.strip()} in {path}"


TESTS = [
    no_file_uses_one_above_it,
    no_header_includes_one_above_it,
    core_knows_no_component,
    new_arrow_up_is_found,
]


if __name__ == "__main__":
    sys.exit(faults.judge("layers", TESTS))
