#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Puts a pristine Linux 7.3.y source tree into build/base and its release into
# build/base.version. It comes from Debian's linux-source-7.3 through a private
# apt state, so neither root nor a change to the system's sources is needed, or
# as a copy of KERNEL_SRC. Once there it is kept, until KERNEL_SRC names another
# directory or build/base.source is deleted.
set -eu
. "$(dirname "$0")/lib.sh"

series=7.3
package=linux-source-$series
apt=$build/apt
unpack=$build/base.unpack

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
	"$tool" -q -o Dir::Etc::sourcelist="$apt/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Update::Error-Mode=any "$@"
}

# The newest release in any of the suites. Release candidates have a tilde.
newest_version()
{
	private_apt apt-cache madison $package 2>/dev/null |
	awk '{ print $3 }' | grep -E '^7\.3(\.[0-9]+)?-' | sort -rV | head -n 1
}

fetch_package()
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

	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	for suite in trixie-backports forky unstable experimental; do
		echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$apt/sources.list"

	say "looking for $package on $mirror"
	updated=yes
	private_apt apt-get update >"$logs/base-apt.log" 2>&1 || updated=no
	version=$(newest_version)
	[ -n "$version" ] || [ $updated = yes ] ||
		die "cannot read $mirror: $(apt_error)"
	[ -n "$version" ] || die "$mirror offers no release of $package," \
		"give a tree with KERNEL_SRC=dir"
	deb=$apt/${package}_${version}_all.deb
	say "downloading $package $version"
	(cd "$apt" && private_apt apt-get download "$package=$version") \
		>"$logs/base-apt.log" 2>&1 ||
		die "download of $package $version failed: $(apt_error)"
}

apt_error()
{
	grep '^E:' "$logs/base-apt.log" | head -n 1 | grep . ||
		echo "see $logs/base-apt.log"
}

unpack_package()
{
	fetch_package
	rm -rf "$apt/files"
	dpkg-deb -x "$deb" "$apt/files" 2>"$logs/base-unpack.log" ||
		die "corrupted package, removed: $(discard_package)"
	say "unpacking $package $version"
	tar -C "$unpack" --strip-components=1 -xJf \
		"$apt/files/usr/src/$package.tar.xz" 2>>"$logs/base-unpack.log" ||
		die "corrupted package, removed: $(discard_package)"
	rm -rf "$apt/files"
}

discard_package()
{
	rm -rf "$deb" "$apt/files"
	echo "$deb ($(tail -n 1 "$logs/base-unpack.log"))"
}

# A copy, because build/base must stay pristine whatever happens to the
# directory. Artefacts of a build in it would disturb ours and are cleaned out
# of the copy.
copy_directory()
{
	say "copying $KERNEL_SRC"
	tar -C "$KERNEL_SRC" --exclude=./.git --exclude='*.o' -cf - . |
		tar -C "$unpack" -xf -
	if [ -e "$unpack/.config" ] || [ -e "$unpack/include/config" ]; then
		run_logged "make mrproper in the copy" base-mrproper.log \
			make -C "$unpack" mrproper
	fi
}

# release_of DIR: "7.3.4", or with the suffix of a release candidate.
release_of()
{
	awk -F' *= *' '
		/^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=/ { v[$1] = $2 }
		v["EXTRAVERSION"] != "" { exit }
		/^NAME *=/ { exit }
		END {
			print v["VERSION"] "." v["PATCHLEVEL"] \
				"." v["SUBLEVEL"] v["EXTRAVERSION"]
		}' "$1/Makefile"
}

check_release()
{
	if [ ! -f "$1/Makefile" ] || [ ! -d "$1/kernel" ]; then
		die "$2 is not a Linux source tree"
	fi
	release=$(release_of "$1")
	case $release in
	"$series".*[!0-9.]*) ;;
	"$series".[0-9]*) return ;;
	esac
	die "$2 is Linux $release, a release $series.y is needed"
}

if [ -n "${KERNEL_SRC:-}" ]; then
	[ -d "$KERNEL_SRC" ] || die "KERNEL_SRC=$KERNEL_SRC is not a directory"
	KERNEL_SRC=$(cd "$KERNEL_SRC" && pwd)
	source="directory $KERNEL_SRC"
	check_release "$KERNEL_SRC" "$KERNEL_SRC"
else
	source="package $package"
fi

lock base
if [ -d "$build/base" ] && [ -f "$build/base.source" ]; then
	[ -n "${KERNEL_SRC:-}" ] || exit 0
	[ "$(head -n 1 "$build/base.source")" != "$source" ] || exit 0
fi

rm -rf "$unpack"
mkdir -p "$unpack"
if [ -n "${KERNEL_SRC:-}" ]; then
	copy_directory
else
	unpack_package
fi
check_release "$unpack" "${KERNEL_SRC:-$package ${version:-}}"

# base.source goes first and comes back last: whoever is interrupted here
# starts over. Its date tells the users of build/base that the tree is another.
rm -f "$build/base.source"
rm -rf "$build/base.old"
[ ! -e "$build/base" ] || mv "$build/base" "$build/base.old"
mv "$unpack" "$build/base"
echo "$release" >"$build/base.version"
printf '%s\n%s\n' "$source" "$(date +%s)" >"$build/base.source"
rm -rf "$build/base.old"
say "Linux $release is in $build/base"
