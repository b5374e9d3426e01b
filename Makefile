# SPDX-License-Identifier: GPL-2.0-only
# The verbs; each is a script in scripts/.

ARCH ?= x86_64
ACCEL ?= tcg
export ARCH ACCEL
ifdef KERNEL_SRC
export KERNEL_SRC
endif
ifdef JOBS
export JOBS
endif
ifdef QUICK
export QUICK
endif
ifdef ICOUNT
export ICOUNT
endif
ifdef CONFIG
export CONFIG
endif

# The scripts run make themselves, which must not take over our variables.
unexport MAKEFLAGS MFLAGS MAKELEVEL

help:
	@echo 'make demo        a guest that goes on while its host kexecs, in a virtual machine'
	@echo 'make gap         how long the guest stands still, in instructions'
	@echo 'make test        every test layer; the last line sums them up'
	@echo 'make check       the static layer alone: checkpatch, W=1, sparse, kernel-doc'
	@echo 'make kunit       the KUnit suites alone'
	@echo 'make vm-test     the scenarios in virtual machines alone'
	@echo 'make systemd-test  systemd'\''s own test, and its fd store from and to stock'
	@echo 'make bench       measure a live update in instructions, against stock'
	@echo 'make fuzz        fuzz each reader for SECONDS=n, by default 60'
	@echo 'make damage      damage what is handed over, SEEDS=n times, by default 100'
	@echo 'make coverage    name the lines of the readers that no test reaches'
	@echo 'make base        fetch the base tree, Linux 7.3.y, into build/base'
	@echo 'make tree        lay our files and patches over it, in build/linux'
	@echo 'make refresh     bring edits of build/linux back into our files and patches'
	@echo 'make kernel      build our kernel for the virtual machines'
	@echo 'make kho-compat  build the command that compares kernel images'
	@echo 'make series      the patches to mail, in build/series'
	@echo 'make series-check  apply, check and build patch by patch'
	@echo 'make deb         Debian packages of our kernel, in build/deb'
	@echo 'make clean       remove what was built, not the base tree and the caches'
	@echo
	@echo 'KERNEL_SRC=dir  a Linux 7.3.y tree to take instead of the Debian package'
	@echo 'ARCH=arm64      instead of x86_64'
	@echo 'ACCEL=kvm       the QEMU accelerator, instead of tcg'
	@echo 'SECONDS=N       how long each reader is fuzzed'
	@echo 'JOBS=N          compile jobs, by default one for each CPU'
	@echo 'SEEDS=N SEED=M  make damage: N kexecs, from number M on; else random'
	@echo 'ICOUNT=1        make demo: the gap in instructions, too; slower'
	@echo 'CONFIG=FILE     make gap: kernel options on top of those of the demo'
	@echo 'DISCARD=FILE    make tree: drop the edit of this file in build/linux'
	@echo 'PATCH=NNNN      make refresh: the diff that an edit belongs to'
	@echo 'QUICK=1         a part of the bench, in minutes'
	@echo 'BEFORE=DIR      a worktree of an earlier commit that the bench compares with'

tree:
	@scripts/tree.sh $(if $(DISCARD),discard $(DISCARD))

base check demo gap test bench kho-compat series deb:
	@scripts/$@.sh

refresh:
	@scripts/refresh.py $(PATCH)

kernel:
	@scripts/kernel.sh ours $(ARCH) vm

kunit:
	@scripts/kunit.sh $(ARCH)

series-check:
	@scripts/test.sh series-check

systemd-test:
	@scripts/clients.sh upstream stock

vm-test:
	@scripts/test.sh vm

SECONDS ?= 60
fuzz:
	@scripts/userspace.sh fuzz $(SECONDS)

damage:
	@tools/testing/selftests/kho/run-damage.py $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(SEED),--seed $(SEED))

coverage:
	@scripts/userspace.sh coverage

clean:
	rm -rf build/linux build/linux.* build/stage build/stage.* \
		build/kernels build/stock build/kunit build/check build/guest \
		build/results build/logs build/userspace build/fuzz build/kho-compat \
		build/userspace-coverage \
		build/series build/series.git build/newest build/series-check build/deb

.PHONY: help base tree refresh kernel demo gap test check kunit systemd-test vm-test bench \
	kho-compat fuzz damage coverage clean series series-check deb
