# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2154 # set by lib.sh and by the caller
#
# Sourced after lib.sh by the scripts that build kernels: how kbuild is called
# and configured. The caller sets arch, then source, out and release_suffix.

# The same build twice gives the same image, and hits in the compiler cache.
export KBUILD_BUILD_TIMESTAMP='1 January 2026' KBUILD_BUILD_USER=kho
export KBUILD_BUILD_HOST=build KBUILD_BUILD_VERSION=1
export CCACHE_DIR="$build/ccache" CCACHE_BASEDIR="$build" CCACHE_NOHASHDIR=1

need_build_tools()
{
	need gcc gcc flex flex bison bison bc bc perl perl xz xz-utils \
		ccache ccache lz4 lz4 rsync rsync cpio cpio python3 python3 \
		/usr/include/libelf.h libelf-dev \
		/usr/include/openssl/ssl.h libssl-dev \
		/usr/include/stdio.h libc6-dev
	cross=
	[ "$(uname -m | sed s/aarch64/arm64/)" != "$arch" ] || return 0
	case $arch in
	arm64)
		cross=aarch64-linux-gnu-
		need ${cross}gcc gcc-aarch64-linux-gnu \
			/usr/aarch64-linux-gnu/include/stdio.h \
			libc6-dev-arm64-cross
		;;
	x86_64)
		cross=x86_64-linux-gnu-
		need ${cross}gcc gcc-x86-64-linux-gnu \
			/usr/x86_64-linux-gnu/include/stdio.h \
			libc6-dev-amd64-cross
		;;
	esac
}

kmake()
{
	result=0
	touch "$out/started"
	make -C "$source" O="$out" ARCH="$arch" CROSS_COMPILE="$cross" \
		CC="ccache ${cross}gcc" HOSTCC="ccache gcc" \
		LOCALVERSION="$release_suffix" -j "${JOBS:-$(nproc)}" "$@" ||
		result=$?
	[ "$source" != "$build/linux" ] || touch_changed
	return $result
}

# What tree.sh wrote while make ran may have been compiled just before, and its
# object look newer than it is.
touch_changed()
{
	# shellcheck disable=SC2046 # no path in a kernel has a blank
	(cd "$source" && find $(cat "$build/linux.manifest") \
		-newer "$out/started" -exec touch {} +) 2>/dev/null || :
}

# An object is rebuilt when its source is newer, but the files of another base
# tree may be older.
drop_build_of_other_base()
{
	cmp -s "$build/base.source" "$out/base.source" && return
	rm -rf "$out"
	mkdir -p "$out"
	cp "$build/base.source" "$out/base.source"
}

# configure FRAGMENT...: tinyconfig, then each fragment; the later one wins.
configure()
{
	kmake tinyconfig
	(cd "$out" && "$source/scripts/kconfig/merge_config.sh" -m .config "$@")
	kmake olddefconfig
}

# lost_options FRAGMENT...: options that are asked for and that the
# configuration does not have: they depend on another, or do not exist.
lost_options()
{
	cat "$@" | awk -v config="$out/.config" '
		function option(line) { return substr(line, 1, index(line, "=") - 1) }
		function value(line) { return substr(line, index(line, "=") + 1) }

		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ { wanted[$2] = "n" }
		/^CONFIG_/ { wanted[option($0)] = value($0) }
		END {
			while ((getline line < config) > 0)
				if (line ~ /^CONFIG_/)
					got[option(line)] = value(line)
			for (o in wanted) {
				v = (o in got) ? got[o] : "n"
				if (v != wanted[o])
					print o "=" wanted[o] " became " v
			}
		}' | sort
}

# What a configuration is made from: the fragments and our Kconfig files, those
# that are there yet.
config_inputs()
{
	cat "$@"
	[ "$source" != "$build/stock/linux" ] || return 0
	grep Kconfig "$build/linux.manifest" | while read -r path; do
		[ ! -f "$source/$path" ] || cat "$source/$path"
	done
}

# update_config NAME FRAGMENT...: configure, if that has changed
update_config()
{
	name=$1
	shift
	config_inputs "$@" >"$out/config.inputs.new"
	cmp -s "$out/config.inputs.new" "$out/config.inputs" && return
	rm -f "$out/config.inputs"
	run_logged "configuring $name" "$name-config.log" configure "$@" ||
		exit 1
	mv "$out/config.inputs.new" "$out/config.inputs"
}

# require_options NAME FRAGMENT...: what they ask for must be there
require_options()
{
	name=$1
	shift
	lost=$(lost_options "$@")
	[ -z "$lost" ] || die "configuration of $name:" "$lost"
}
