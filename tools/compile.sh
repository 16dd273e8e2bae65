#!/bin/sh
# CMakePresets.json starts every compiler through this: by way of ccache where it is installed. The
# build's commands are then the same with and without ccache, so that installing it later, as
# test.sh does, rebuilds nothing.
command -v ccache >/dev/null && exec ccache "$@"
exec "$@"
