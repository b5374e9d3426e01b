#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gap.sh: make gap. How long a guest stands still while its host kexecs, in
# instructions, part by part. CONFIG=FILE has options of the kernel that go on top
# of those of the demo.
set -eu
. "$(dirname "$0")/lib.sh"

need python3 python3
exec "$top/scripts/demo.py" --gap ${CONFIG:+--config "$CONFIG"}
