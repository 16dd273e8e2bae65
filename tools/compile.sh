#!/bin/sh
# CMakePresets.json starts every compiler through this script, which uses ccache if it is installed.
# The build's commands are then the same with and without ccache, so that installing it later, as
# test.sh does, rebuilds nothing.
if command -v ccache >/dev/null; then
  # Without these it skips every file that uses precompiled headers.
  export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:+$CCACHE_SLOPPINESS,}pch_defines,time_macros"
  exec ccache "$@"
fi
exec "$@"
