# Completion of cull in bash: commands, options, files, plugins of all kinds, methods, tasks and settings.
# Everything is asked of the program, so that plugins of your own are completed too.

_cull_commands() { "$1" help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p'; }
_cull_options() { "$1" "$2" --help 2>/dev/null | grep -oE '(^|[ ,])--?[a-zA-Z?][a-z0-9-]*' | tr -d ' ,'; }
_cull_plugins() { "$1" list ${2:+"$2"} 2>/dev/null | awk '$1 ~ /^(backend|data|criterion|strategy|metric)$/ { print $2 }'; }
_cull_settings() { "$1" describe "$2" "$3" 2>/dev/null | sed -n '/^Settings/,/^[A-RT-Z]/s/^  \([a-z_][a-z_]*\) .*/\1/p'; }

# The methods that a folder of results names.
_cull_methods() { "$1" compare "$2" --format csv 2>/dev/null | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "method") m = i } NR > 1 && m { print $m }' | sort -u; }

# The tasks that the metric `tasks` knows, as its description lists them.
_cull_tasks() { "$1" describe metric tasks 2>/dev/null | grep -oE '[a-z0-9]+(_[a-z0-9]+)*' | sort -u; }

# The keys of an experiment and, behind a plugin's name, its settings: for --set.
_cull_keys()
{
    local program=$1 word=$2 kind name
    printf '%s\n' question= baseline= seeds= sparsities= allocations= precision= keep= cache= output. models. calibrate. methods. metrics. layers.
    name=${word%.*}
    name=${name##*.}
    for kind in backend data criterion strategy metric; do
        _cull_settings "$program" "$kind" "$name" | sed "s/^/${word%.*}./; s/\$/=/"
    done
}

_cull_first_folder()
{
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ -d ${COMP_WORDS[i]} ]]; then
            printf '%s' "${COMP_WORDS[i]}"
            return
        fi
    done
}

_cull()
{
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words=$(_cull_commands "$program")
    elif [[ $word == -* ]]; then
        words=$(_cull_options "$program" "$command")
    else
        case $before in
        --precision) words='f32 bf16 bf16x2 auto' ;;
        --format) words='text csv json md latex' ;;
        --tasks) words=$(_cull_tasks "$program") ;;
        --baseline) words="dense $(_cull_methods "$program" "$(_cull_first_folder)")" ;;
        -s | --set)
            words=$(_cull_keys "$program" "$word")
            compopt -o nospace 2>/dev/null
            ;;
        --layout) words='checkpoint jsonl ranking mask' ;;
        esac
        case $command in
        help) words=$(_cull_commands "$program") ;;
        list) words='backend data criterion strategy metric' ;;
        describe)
            case $COMP_CWORD in
            2) words='backend data criterion strategy metric' ;;
            3) words=$(_cull_plugins "$program" "${COMP_WORDS[2]}") ;;
            esac
            ;;
        esac
    fi
    if [[ -n $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    case $command in
    run | plan) mapfile -t COMPREPLY < <(compgen -f -X '!*.@(yaml|yml)' -- "$word"; compgen -d -- "$word") ;;
    check) mapfile -t COMPREPLY < <(compgen -f -X '!*.so' -- "$word"; compgen -d -- "$word") ;;
    rm)
        local folder
        folder=$(_cull_first_folder)
        if [[ -n $folder ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$("$program" ls "$folder" 2>/dev/null | grep -oE 'trials/[^ ]*' | sed 's|^trials/||')" -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
        fi
        ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}

complete -o filenames -F _cull cull
