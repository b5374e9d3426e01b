# SPDX-License-Identifier: GPL-2.0-only
"""The cases. Each is a function that gets a Test, whose checks it makes."""
import khotest

MEMFDS = {"guest": "same", "firmware": "same", "log": "same"}
MIXED = {"before": "same", "listener": "made", "pipe": "made", "event": "made",
         "after": "same"}


def load(host, image, how="-s", more="--reuse-cmdline"):
    return host.run(f"dmesg -C; kexec {how} -l /boot/{image} {more}; r=$?; "
                    "dmesg | grep KHO; exit $r")


def fdstore(test):
    """The fd stores of services, there and back, with a soft reboot between."""
    host = test.host("ours", services=["keeper@a", "keeper@mixed", "keeper@handed"])
    host.started()
    test.equal(host.kept("a"), dict.fromkeys(MEMFDS, "made"), "files are made")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    host.kexec("systemctl kexec")
    test.equal(host.kept("a"), MEMFDS, "memfds came through")
    test.equal(host.kept("mixed"), MIXED,
               "memfds came through beside files that cannot")
    test.equal(host.kept("handed"), {"vm1": "same"},
               "a session of LUOSession= came through, and is used again")

    host.soft_reboot()
    test.equal(host.kept("a"), MEMFDS, "memfds are there after a soft reboot")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    host.kexec("systemctl kexec")
    test.equal(host.kept("a"), MEMFDS, "memfds came through once more")
    test.equal(host.kept("handed"), {"vm1": "same"},
               "so did what was preserved in the session")


def stock(test):
    """The fd store, from stock 7.3 to ours, back, and to ours again."""
    host = test.host("stock", services=["keeper@a", "keeper@mixed"])
    host.started()
    test.equal(host.kept("a"), dict.fromkeys(MEMFDS, "made"), "files are made")
    for image, command in [("ours", "systemctl kexec"),
                           ("stock", "systemctl start kho-kexec"),
                           ("ours", "systemctl kexec")]:
        if image == "stock":
            host.text("echo 7.3 > /sys/kernel/kho/next/assume")
        test.equal(load(host, image).status, 0, f"{image} is loaded")
        host.kexec(command)
        test.contains(host.text("uname -r"), image, f"{image} runs")
        test.equal(host.kept("a"), MEMFDS, "memfds came through")
        test.equal(host.kept("mixed"), MIXED, "beside files that cannot, too")


# Name, arguments of kexec, and what the log says of it
REFUSED = [
    ("liveupdate=on forgotten", "-s -l /boot/ours --append='root=/dev/vda kho=on'",
     "it needs liveupdate=on"),
    ("kho=on forgotten", "-s -l /boot/ours --append='root=/dev/vda liveupdate=on'",
     "it needs kho=on on its command line"),
    ("memfd newer", "-s -l /boot/memfd-newer --reuse-cmdline",
     "memfd: this kernel writes 2 to 3, the image reads 9"),
    ("no luo", "-s -l /boot/luo-none --reuse-cmdline", "the image lacks this component"),
    ("no luo, either system call", "-a -l /boot/luo-none --reuse-cmdline",
     "the image lacks this component"),
    ("the older system call", "-c -l /boot/ours --reuse-cmdline",
     "it was loaded without a handover"),
    ("no note", "-s -l /boot/no-note --reuse-cmdline", "echo 7.3 > "),
    ("Debian's kernel", "-s -l /boot/debian --reuse-cmdline",
     "load refused by kho_check=enforce"),
]


def refused(test):
    """A next kernel that could not take over is refused while all still runs."""
    host = test.host("ours", services=["keeper@a"])
    host.started()
    service = "systemctl show -P MainPID -P NRestarts -P ActiveState keeper@a"
    before = host.text(service)
    for name, arguments, why in REFUSED:
        answer = host.run(f"dmesg -C; kexec {arguments}; r=$?; dmesg; exit $r")
        test.equal(answer.status, 255, f"{name} is refused")
        test.contains(answer.text, why, "and the log says why")
    test.equal(host.text("cat /sys/kernel/kexec_loaded"), "0", "nothing is loaded")
    answer = host.run("systemctl kexec")
    test.check(answer.status, "systemctl refuses to kexec", answer.text)
    test.equal(host.text(service), before, "the service runs as before")
    test.equal(load(host, "ours").status, 0, "one that can is loaded")
    host.kexec("systemctl kexec")
    test.equal(host.kept("a"), MEMFDS, "and takes over")


def kho_kexec(host):
    """Ask for a kexec that is refused: status of the service, and what it says."""
    asked = host.run("systemctl start kho-kexec").status
    status = host.text("systemctl show -P ExecMainStatus kho-kexec")
    said = host.text("journalctl -b -u kho-kexec -o cat --no-pager -n 20")
    return bool(asked), int(status), said


def kho_kexec_refuses(test, host, when, status, why, service="keeper@a"):
    asked, found, said = kho_kexec(host)
    test.check(asked, f"{when}: kho-kexec fails")
    test.equal(found, status, f"{when}: with the status of the verdict")
    test.contains(said, why, f"{when}: and its text")
    test.equal(host.text(f"systemctl is-active {service}"), "active",
               f"{when}: nothing was stopped")


HOLDER = ("systemd-run -q --unit=holder -p Type=notify -p NotifyAccess=all sh -c "
          "'exec 3<>/dev/liveupdate; systemd-notify --ready; exec sleep infinity'")


def agent(test):
    """Agents beside systemd, and a handover that cannot be read."""
    host = test.host("ours", services=["keeper@a"])
    host.started()
    kho_kexec_refuses(test, host, "nothing loaded", 2,
                      "all that can be preserved: none")
    host.text("echo warn > /sys/kernel/kho/check")
    test.equal(load(host, "memfd-newer").status, 0, "memfd newer loads with a warning")
    host.text("echo enforce > /sys/kernel/kho/check")
    kho_kexec_refuses(test, host, "memfd newer", 1,
                      "all that can be preserved: incompatible")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    test.equal(host.run(HOLDER).status, 0, "an agent holds /dev/liveupdate")
    kho_kexec_refuses(test, host, "/dev/liveupdate is held", 1,
                      "Device or resource busy")
    host.text("systemctl stop holder")
    test.equal(host.run("systemctl start session@left").status, 0,
               "another one keeps a session")
    answer = host.kexec("systemctl start kho-kexec")
    test.equal(answer.status, 0, "kho-kexec ends with success")
    test.equal(host.kept("a"), MEMFDS, "memfds came through")

    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    kho_kexec_refuses(test, host, "an unfinished session", 1,
                      "luo: 1 of the previous kernel not finished")
    host.text("/usr/lib/kho-clients/session finish left")
    test.equal(host.text("/usr/lib/kho-clients/spoil"), "",
               "LUO's state gets a version of the future")
    host.kexec("systemctl start kho-kexec")
    test.equal(host.kept("a"), dict.fromkeys(MEMFDS, "made"),
               "the host comes up, its services start empty")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    host.kexec("systemctl start kho-kexec")
    test.equal(host.kept("a"), MEMFDS, "which gets everything again")


PAGE = khotest.TOP / "Documentation/admin-guide/mm/kho.rst"
TWO_GUESTS = "A host with two guests, step by step"
GUESTS = ["one", "two"]


def page_commands(title):
    """Commands of a chapter of the operator's page, each with what it prints."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    commands = []
    for line in lines[lines.index(title) + 2:]:
        if line and not line.strip("-"):
            break                           # below the title of the next one
        if line.startswith("    # "):
            commands.append((line[6:], []))
        elif line.startswith("    ") and line.strip():
            commands[-1][1].append(line.strip())
    return commands


def journal(guest, options):
    return f"journalctl -o cat --no-pager -u kho-guest@{guest} {options}"


def guests_count(test, host, when):
    """Wait until each has counted five times more."""
    for guest in GUESTS:
        counted = host.text(journal(guest, "-f -n 0") + " | grep -m 5 -c '^tick'")
        test.equal(counted, "5", f"{when}: guest {guest} counts")


def guests_unchanged(test, host, kexecs):
    """What their journal of all boots says."""
    for guest in GUESTS:
        wrong = host.text(journal(guest, "-g ^tick") +
                          " | awk '$2 != NR || $4 != 0 { print NR, $0; exit }'")
        test.equal(wrong, "", f"guest {guest}: ticks in order, none is missing")
        sums = host.text(journal(guest, "-g crc32") + " | grep -o 'crc32 .*'")
        sums = sums.splitlines()
        test.equal(sums[::2], sums[1::2], f"guest {guest}: sums of its memory")
        test.equal(len(sums), 2 * kexecs, f"guest {guest}: at each kexec")


def follow_page(test, host):
    """Do what it says. The files of the guests are others than there."""
    for command, printed in page_commands(TWO_GUESTS):
        if command == "systemctl start kho-kexec":
            guests_count(test, host, "before")
            answer = host.kexec(command)
        else:
            answer = host.run(command)
        test.check(answer.status == 0, command, answer.text)
        if printed and not command.startswith("cat /etc/kho-guest/"):
            test.equal(sorted(answer.text.splitlines()), sorted(printed),
                       "and prints what the page says")


def guests(test):
    """The operator's page, and guests that count meanwhile."""
    host = test.host("ours")
    host.started()
    follow_page(test, host)
    guests_count(test, host, "after the kexec")
    guests_unchanged(test, host, 1)

    host.text("echo warn > /sys/kernel/kho/check")
    test.equal(load(host, "memfd-newer").status, 0, "memfd newer loads with a warning")
    kho_kexec_refuses(test, host, "memfd newer", 1,
                      "all that can be preserved: incompatible", "kho-guest@one")
    guests_count(test, host, "after the refusal")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    host.kexec("systemctl start kho-kexec")
    guests_count(test, host, "after another kexec")
    guests_unchanged(test, host, 2)


UPSTREAM = "TEST-91-LIVEUPDATE.service"


def upstream(test):
    """systemd's own test."""
    host = test.host("ours", services=[UPSTREAM],
                     cmdline="systemd.minimum_uptime_sec=0")
    said = f"journalctl -b -u {UPSTREAM} -o cat --no-pager -n 8"
    # It has systemd execute itself again, which whoever waits does not outlive
    status = host.kexec(f"systemctl start {UPSTREAM}", wait=False).status
    test.check(not status, "before the kexec", host.text(said) if status else "")
    if status:
        return
    host.text(f"until systemctl show -P ExecMainExitTimestampMonotonic {UPSTREAM} | "
              f"grep -q '[1-9]' && systemctl show -P ActiveState {UPSTREAM} | "
              "grep -qE '^(inactive|failed)$'; do sleep 1; done")
    test.equal(host.text(f"systemctl show -P Result {UPSTREAM}"), "success",
               "after the kexec")
    test.check(not host.run("test -e /testok").status, "all of it was done",
               host.text(said))
