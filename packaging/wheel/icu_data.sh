#!/usr/bin/env bash
# Makes libicudata with the part of the distribution's ICU data that spanforge uses, 9 of 31 MB: converters of
# encodings (data/source_text.cpp), character and word breaks with their dictionaries (data/offset_unit.cpp,
# metrics/word_f1.cpp). The tests of these layers pass with it: tests/wheel.
# Usage: packaging/wheel/icu_data.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1") work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stop() { echo "icu_data.sh: $*" >&2; exit 1; }
PATH=$PATH:/usr/sbin
whole=$(ldconfig -p | sed -n 's/.* => \(.*\/libicudata\.so\.[0-9]*\)$/\1/p' | head -n 1)
[ -n "$whole" ] || stop "there is no libicudata"
name=$(basename "$whole") major=${whole##*.}
# The library is the package of data and nothing else; its name in there is icudtNNl.
objcopy -O binary -j .rodata "$whole" "$work/icudt${major}l.dat"
cd "$work"
icupkg -l "icudt${major}l.dat" >all.txt
# ulayout, uemoji: properties of characters; nfkc: what the dictionaries of words are looked up by
grep -E '\.cnv$|^cnvalias\.icu$|^brkitr/|^nfkc(_cf)?\.nrm$|^ulayout\.icu$|^uemoji\.icu$' all.txt >keep.txt
mkdir items
icupkg -x keep.txt -d items "icudt${major}l.dat"
icupkg -a keep.txt -s items --toc_prefix "icudt${major}l" new small.dat
cat >data.S <<END
	.section .rodata
	.globl icudt${major}_dat
	.type icudt${major}_dat, @object
	.balign 16
icudt${major}_dat:
	.incbin "small.dat"
	.size icudt${major}_dat, . - icudt${major}_dat
	.section .note.GNU-stack,"",@progbits
END
cc -shared -nostdlib -Wl,-soname,"$name" -Wl,-z,noexecstack -o "$name" data.S
mkdir -p "$folder"
mv "$name" "$folder"
