#!/bin/sh
# Who may include whom: base and math nothing above them, no stage the command line, plugins only the SDK
# and their own headers; and HDF5 only the recorder.
#     layering.sh SOURCE
set -u
cd "$1" || exit 1
failed=0

refuse() { # refuse REASON LINES
    offences=$2
    [ -z "$offences" ] && return
    echo "$1:" >&2
    echo "$offences" >&2
    failed=1
}

includes() { # includes PATTERN PATH...
    pattern=$1
    shift
    grep -rnE --include='*.c' --include='*.h' "^ *# *include +$pattern" "$@" 2>/dev/null
}

refuse "core/base depends on nothing above it" \
    "$(includes '"' core/base | grep -v '"base/')"
refuse "core/math depends on base alone" \
    "$(includes '"' core/math | grep -vE '"(base|math)/')"
refuse "nothing depends on the command line" \
    "$(includes '"cli/' core --exclude-dir=cli)"
refuse "plan, spec and engine do not know the records" \
    "$(includes '"record/' core/plan core/spec core/engine)"
refuse "plugins include the SDK and their own headers" \
    "$(includes '"(base|math|plugin|spec|plan|engine|flow|record|report|cli)/' plugins)"
refuse "only core/record uses HDF5" \
    "$(includes '<(hdf5|H5|hdf5_hl)' core plugins --exclude-dir=record)"
exit $failed
