# SPDX-License-Identifier: GPL-2.0-only
"""The cases. Each is a function that gets a Test, whose checks it makes."""
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


# Name, arguments of kexec, and what the log says of it
REFUSED = [
    ("liveupdate=on forgotten", "-s -l /boot/ours --append='root=/dev/vda kho=on'",
     "it needs liveupdate=on"),
    ("kho=on forgotten", "-s -l /boot/ours --append='root=/dev/vda liveupdate=on'",
     "it needs kho=on on its command line"),
    ("memfd newer", "-s -l /boot/memfd-newer --reuse-cmdline",
     "memfd: 0 in use with version 2, the image reads 9 to 9"),
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
        if "/boot/debian" in arguments and not test.images.get("debian"):
            test.skip(f"{name} is refused", "there is no such image")
            continue
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


def kho_kexec_refuses(test, host, when, status, why):
    asked, found, said = kho_kexec(host)
    test.check(asked, f"{when}: kho-kexec fails")
    test.equal(found, status, f"{when}: with the status of the verdict")
    test.contains(said, why, f"{when}: and its text")
    test.equal(host.text("systemctl is-active keeper@a"), "active",
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
    kho_kexec_refuses(test, host, "an unfinished session", 1, "luo: 1 of the previous kernel not finished")
    host.text("/usr/lib/kho-clients/session finish left")
    test.equal(host.text("/usr/lib/kho-clients/spoil"), "",
               "LUO's state gets a version of the future")
    host.kexec("systemctl start kho-kexec")
    test.equal(host.kept("a"), dict.fromkeys(MEMFDS, "made"),
               "the host comes up, its services start empty")
    test.equal(load(host, "ours").status, 0, "the next kernel is loaded")
    host.kexec("systemctl start kho-kexec")
    test.equal(host.kept("a"), MEMFDS, "which gets everything again")


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
