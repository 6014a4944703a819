#!/bin/sh
# Who may include whom. Every room of core stands on the rooms listed beside it and on itself; plugins on the
# SDK and their own headers. No room but base, engine and cli is larger than what can be taken in at a glance.
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

stands_on() { # stands_on ROOM ROOMS: ROOM includes nothing of core but ROOMS (a|b|c) and itself
    refuse "core/$1 stands on: ${2:-nothing}" \
        "$(includes '"' "core/$1" | grep -vE "\"($1${2:+|$2})/|\"plugin/open_model\\.h\"")"
}

stands_on base ''
stands_on ranks 'base'
stands_on math 'base'
stands_on cut 'base' # and on what an open model is, which is a pair of the SDK's pointers
stands_on statistics 'base'
stands_on plugin 'base|math|cut'
stands_on check 'base|math|cut|statistics|plugin'
stands_on spec 'base|plugin'
stands_on engine 'base|ranks|math|cut|statistics|plugin'
stands_on plan 'base|math|cut|statistics|plugin|spec|check|engine'
stands_on record 'base|math|cut|statistics|plugin|check|engine'
stands_on results 'base|math|cut|statistics|plugin|plan|record'
stands_on flow 'base|ranks|math|cut|statistics|plugin|spec|check|engine|plan|record'
stands_on study 'base|ranks|math|cut|statistics|plugin|spec|check|engine|plan|record|results|flow'
stands_on report 'base|math|cut|statistics|plugin|plan|record|results'

for room in core/*/; do
    room=${room#core/}
    case " base ranks math cut statistics plugin check spec engine plan record results flow study report cli cmake " in
    *" ${room%/} "*) ;;
    *) refuse "a room without a rule in $0" "core/$room" ;;
    esac
done
for room in core/*/ core/*/*/; do
    entries=$(ls "$room" | wc -l)
    case $room in
    core/base/ | core/engine/ | core/cli/) ;;
    *) [ "$entries" -le 25 ] || refuse "a room of more than 25 entries" "$room: $entries" ;;
    esac
done
refuse "plugins include the SDK and their own headers" \
    "$(includes '"(base|ranks|math|cut|statistics|plugin|check|spec|plan|engine|flow|study|record|results|report|cli)/' plugins)"
refuse "plugins go through the host's arrays by their stride (cull_view_layer, cull_stats_layer, …)" \
    "$(grep -rnE '(view|stats|before|cut)->(layer|overlay)\[|[^_]answers\[' plugins --include='*.c' --include='*.h')"
refuse "only core/record/h5 uses HDF5" \
    "$(includes '<(hdf5|H5|hdf5_hl)' core plugins --exclude-dir=h5)"
refuse "a plan does not stand on its cost" "$(includes '"plan/cost/' core/plan --exclude-dir=cost)"
refuse "only core/math includes a BLAS" \
    "$(includes '<(cblas|lapacke?|f77blas|dnnl[a-z_]*)\.h' core plugins tests bench --exclude-dir=math)"
refuse "only core/ranks/mpi.c knows MPI" \
    "$(includes '<mpi\.h' core plugins tests bench | grep -v '^core/ranks/mpi\.c:')"
for file in $(find core plugins tests bench -name '*.c'); do
    case $(head -c 2 "$file") in
    //) ;;
    *) refuse "a file begins with a line that says what it is for" "$file" ;;
    esac
done
exit $failed
