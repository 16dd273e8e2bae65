#!/bin/sh
# Makes what packages install in /usr/share: manual pages and completions. Usage: make_share.sh PROGRAM FOLDER
set -eu
program=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/completion"
"$program" help --man-pages "$folder/man"
gzip -9n "$folder"/man/*.1
"$program" help --completion bash > "$folder/completion/spanforge"
"$program" help --completion zsh > "$folder/completion/_spanforge"
"$program" help --completion fish > "$folder/completion/spanforge.fish"
touch "$folder/made"
