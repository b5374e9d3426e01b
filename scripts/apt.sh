# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # for the caller, set by lib.sh
#
# Sourced after lib.sh: packages from Debian's archive through an apt state of
# our own in build/apt, so that neither root nor a change to the system's sources
# is needed. The mirror is the system's. A caller that wants packages for another
# architecture sets apt_arch, one that wants other suites sets apt and suites.

apt=$build/apt
suites="trixie-backports forky unstable experimental"

# The Debian archive that the system's apt itself uses. A fresh machine has no
# lists to tell the origin of a source; its own suite is Debian's then.
debian_mirror()
{
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
		'Label: Debian' --format '$(SITE)' | head -n 1 | grep . && return
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
	apt-get update --print-uris 2>/dev/null |
	sed -nE "s,^'(.*)/dists/($codename|stable|testing|unstable|sid)/InRelease'.*,\1,p" |
	head -n 1
}

debian_keyring()
{
	for keyring in /usr/share/keyrings/debian-archive-keyring.pgp \
		       /usr/share/keyrings/debian-archive-keyring.gpg; do
		[ ! -s "$keyring" ] || { echo "$keyring"; return; }
	done
}

private_apt()
{
	tool=$1
	shift
	if [ -n "${apt_arch:-}" ]; then
		set -- -o APT::Architecture="$apt_arch" \
			-o APT::Architectures="$apt_arch" "$@"
	fi
	"$tool" -q -o Dir::Etc::sourcelist="$apt/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt/lists${apt_arch:-}" \
		-o Dir::Cache="$apt/cache${apt_arch:-}" \
		-o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Update::Error-Mode=any "$@"
}

apt_error()
{
	grep '^E:' "$logs/apt.log" | head -n 1 | grep . || echo "see $logs/apt.log"
}

# open_archive WANTED: read what there is; the name of WANTED is for messages.
# Sets mirror, and updated to no if not all of it could be read.
open_archive()
{
	have apt-get || die "no apt-get here: give a tree with KERNEL_SRC=dir"
	need xz xz-utils dpkg-deb dpkg
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || die "the system's apt sources name no Debian" \
		"mirror: give a tree with KERNEL_SRC=dir"
	[ -n "$(debian_keyring)" ] || need /usr/share/keyrings/debian-archive-keyring.gpg \
		debian-archive-keyring
	keyring=$(debian_keyring)
	[ -n "$keyring" ] || die "no Debian keyring in /usr/share/keyrings" \
		"(package debian-archive-keyring)"

	mkdir -p "$apt/lists${apt_arch:-}/partial" \
		"$apt/cache${apt_arch:-}/archives/partial"
	for suite in $suites; do
		echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$apt/sources.list"

	say "looking for $1 on $mirror"
	updated=yes
	private_apt apt-get update >"$logs/apt.log" 2>&1 || updated=no
}

# versions PACKAGE: in all of the suites, the newest first
versions()
{
	private_apt apt-cache madison "$1" 2>/dev/null | awk '{ print $3 }' | sort -rV
}

# newest_version PACKAGE: of 7.3.y, without candidates: those have a tilde
newest_version()
{
	versions "$1" | grep -E '^7\.3(\.[0-9]+)?-' | head -n 1
}

# download PACKAGE VERSION ARCHITECTURE: sets deb to the file
download()
{
	deb=$apt/${1}_${2}_$3.deb
	say "downloading $1 $2"
	(cd "$apt" && private_apt apt-get download "$1=$2") \
		>"$logs/apt.log" 2>&1 ||
		die "download of $1 $2 failed: $(apt_error)"
}
