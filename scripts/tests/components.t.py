#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks that each component of KHO stands in every place that it needs.

The places are those of the checklists in Documentation/core-api/kho/index.rst,
"Adding a component" and "Changing a format". The compiler finds the others. Which
versions there are is taken from the golden rows, which are checked against the macros
by the KUnit suite that has them. Prints TAP.
"""
import pathlib
import re
import sys

import faults

TOP = pathlib.Path(__file__).resolve().parents[2]
LIST = "kernel/liveupdate/kho_components.h"
USERSPACE = "tools/testing/kho/Makefile"
KUNIT_MAKEFILE = "kernel/liveupdate/tests/Makefile"
GOLDEN = "kernel/liveupdate/tests/kho_abi_kunit.c"
ABI_PAGE = "Documentation/core-api/kho/abi.rst"
OPERATORS_PAGE = "Documentation/admin-guide/mm/kho.rst"
DEVELOPERS_PAGE = "Documentation/core-api/kho/index.rst"
SYSFS = "tools/testing/selftests/kho/scenarios/image_sysfs.c"
FUZZERS = "tools/testing/kho/fuzz"
SCENARIOS = "tools/testing/selftests/kho/scenarios"

# Where each component has a row: file, and what it looks like
ROWS = {
    GOLDEN: r'\{{ "{}", ',
    SYSFS: r'\{{ "{}", "',
    OPERATORS_PAGE: r"^    {} +\d",
}

# Not part of what is tested in userspace
NOT_IN_USERSPACE = {"kho_sysfs", "kexec_handover_debugfs"}


def tree():
    """Path -> text of the files that are looked at"""
    paths = [LIST, USERSPACE, KUNIT_MAKEFILE, ABI_PAGE, DEVELOPERS_PAGE, *ROWS]
    paths += [path.relative_to(TOP) for pattern in
              ("kernel/liveupdate/*.c", "kernel/liveupdate/tests/*.c", "mm/*.c",
               "include/linux/kho/abi/*.h",
               f"{FUZZERS}/*.c", f"{SCENARIOS}/*.c")
              for path in TOP.glob(pattern)]
    return {str(path): (TOP / path).read_text(encoding="utf-8")
            for path in paths}


def components(files):
    return re.findall(r'\bx\("([^"]+)", (\w+), (\w+)\)', files[LIST])


def versions(files, name):
    """Oldest and newest version with golden rows"""
    row = rf'\{{ "{re.escape(name)}", \w+, (\d+), '
    found = [int(version) for version in re.findall(row, files[GOLDEN])]
    return min(found, default=0), max(found, default=0)


def with_several_versions(files):
    """Name, variable and newest version"""
    for name, component, _ in components(files):
        oldest, newest = versions(files, name)
        if oldest < newest:
            yield name, component, newest


def compiled_in_userspace(files):
    text = files[USERSPACE].replace("\\\n", " ")
    return re.search(r"^COMPONENTS := (.*)$", text, re.MULTILINE)[1].split()


def each_component_has_its_rows(files):
    for name, _, _ in components(files):
        for path, row in ROWS.items():
            if not re.search(row.format(re.escape(name)), files[path],
                             re.MULTILINE):
                yield f"{path} has no row for {name}"


def each_component_is_in_the_list(files):
    """Without a line it has no version in the FDT and none in the note."""
    listed = {component for _, component, _ in components(files)}
    for path, text in files.items():
        if "/tests/" in path or not path.endswith(".c"):
            continue
        for component in re.findall(r"^struct kho_component (\w+) = ", text,
                                    re.MULTILINE):
            if component not in listed:
                yield f"{LIST} has no line for {component} of {path}"


def each_option_is_on_in_userspace(files):
    for option in re.findall(r"^#ifdef (CONFIG_\w+)", files[LIST],
                             re.MULTILINE):
        if f"-D{option}=1" not in files[USERSPACE]:
            yield f"{USERSPACE} does not define {option}"


def each_file_is_compiled_in_userspace(files):
    compiled = compiled_in_userspace(files)
    for path in files:
        match = re.fullmatch(r"kernel/liveupdate/(\w+)\.c", path)
        if match and match[1] not in NOT_IN_USERSPACE and \
                match[1] not in compiled:
            yield f"{USERSPACE} does not compile {path}"


def each_suite_is_built(files):
    for path in files:
        match = re.fullmatch(r"kernel/liveupdate/tests/(\w+_kunit)\.c", path)
        if match and f"{match[1]}.o" not in files[KUNIT_MAKEFILE]:
            yield f"{KUNIT_MAKEFILE} does not build {path}"


def each_abi_header_is_on_the_page(files):
    for path in files:
        if path.startswith("include/linux/kho/abi/") and \
                path not in files[ABI_PAGE]:
            yield f"{ABI_PAGE} does not include {path}"


def each_row_has_the_newest_version(files):
    """What this kernel, or the next one if it is the same, reads ends with it."""
    for name, _, _ in components(files):
        newest = versions(files, name)[1]
        log = rf"KHO: .*\b{name}: .*\bthis kernel (?:reads|writes) .*" \
            r"\b\d+ to "
        rows = {
            SYSFS: re.findall(rf'\{{ "{name}", "\d+", "(\d+)", ',
                              files[SYSFS]),
            OPERATORS_PAGE: re.findall(rf"(?:^    {name} .* \d+-|{log})(\d+)\b",
                                       files[OPERATORS_PAGE], re.MULTILINE),
            DEVELOPERS_PAGE: re.findall(log + r"(\d+)\b", files[DEVELOPERS_PAGE]),
        }
        for path, found in rows.items():
            for version in found:
                if int(version) != newest:
                    yield f"{path}: {name} has newest version {version}, " \
                        f"expected {newest}"


def each_version_is_fuzzed(files):
    for name, component, newest in with_several_versions(files):
        sets = rf"\b{component}\.write = |kho_component_pin\(&{component},"
        if not re.search(sets, files.get(f"{FUZZERS}/{name}.c", "")):
            yield f"{FUZZERS}/{name}.c does not set the version, " \
                f"expected seeds of all up to {newest}"


def each_version_is_in_a_scenario(files):
    for name, _, newest in with_several_versions(files):
        pinned = rf"kho_write=(\S+,)?{name}:{newest}\b"
        if not any(re.search(pinned, text) for path, text in files.items()
                   if path.startswith(SCENARIOS)):
            yield f"no scenario has kho_write={name}:{newest}"


CHECKS = [
    each_component_has_its_rows,
    each_component_is_in_the_list,
    each_option_is_on_in_userspace,
    each_file_is_compiled_in_userspace,
    each_suite_is_built,
    each_abi_header_is_on_the_page,
]

VERSION_CHECKS = [
    each_row_has_the_newest_version,
    each_version_is_fuzzed,
    each_version_is_in_a_scenario,
]


def forgotten_place_is_noticed(files):
    """The checks themselves: a component of which only the code exists."""
    line = 'KHO_IF_NEW(x("new", new_component, NEW))'
    files = {
        **files,
        LIST: f"{files[LIST]}\n#ifdef CONFIG_NEW\n{line}\n",
        "kernel/liveupdate/kho_new.c": "struct kho_component new_other = {\n",
        "kernel/liveupdate/tests/kho_new_kunit.c": "",
        "include/linux/kho/abi/new.h": "",
    }
    for check in CHECKS:
        if not any("new" in fault.lower() for fault in check(files)):
            yield f"not noticed by {check.__name__}"


def forgotten_version_is_noticed(files):
    """A version of which only the golden rows exist."""
    name = components(files)[0][0]
    row = f'{{ "{name}", NEW_VERSION, 99, 0, new_99 }},'
    files = {**files, GOLDEN: f"{files[GOLDEN]}\n{row}\n"}
    for check in VERSION_CHECKS:
        if not any("99" in fault and name in fault for fault in check(files)):
            yield f"not noticed by {check.__name__}"


TESTS = [*CHECKS, forgotten_place_is_noticed,
         *VERSION_CHECKS, forgotten_version_is_noticed]


if __name__ == "__main__":
    sys.exit(faults.judge("components", TESTS, tree()))
