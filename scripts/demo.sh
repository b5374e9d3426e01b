#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# demo.sh: make demo. On a machine without Python the demo cannot say so.
set -eu
. "$(dirname "$0")/lib.sh"

need python3 python3
exec "$top/scripts/demo.py" --arch "${ARCH:-x86_64}" ${ICOUNT:+--icount}
