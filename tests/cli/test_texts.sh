#!/bin/bash
# Manual pages and bash completion against the tables of options: every option, nowhere more or less.
. "$(dirname "$0")/tap.sh"
thermoface=$(realpath "$thermoface")
thermofaced=$3 writer=$4 texts=$5 # the built daemon, the writer of texts, and where its texts lie
here=$(cd "$(dirname "$0")" && pwd)

# "COMMAND --NAME" of each option in a built manual page.
options_of_page()
{
    awk '/^\.SS /{gsub(/["\\]/, ""); $1 = ""; $2 = ""; command = ""
                  for (i = 3; i <= NF && $i ~ /^[a-z0-9]+$/; i++) command = command $i " "}
         /^\.SH /{command = ""}
         /^\.TP/{getline; gsub(/\\-/, "-"); if (match($0, /--[a-z0-9-]+/)) print command substr($0, RSTART, RLENGTH)}' \
        "$1"
}

# What --help of the built programs lists.
options_of_help()
{
    "$@" --help | sed -nE 's/^  (-[a-z], )?(--[a-z0-9-]+).*/\2/p'
}

# complete_line WORDS...: COMPREPLY, a line each, for the last word.
complete_line()
{
    COMP_WORDS=("$@")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMP_LINE="$*"
    COMPREPLY=()
    "_${function:-thermoface}"
    [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort
}

# offers NAME EXPECTED WORDS...
offers()
{
    local name=$1 expected=$2
    shift 2
    complete_line "$@" >"$folder/offered"
    [ "$(tr '\n' ' ' <"$folder/offered")" = "${expected:+$expected }" ]
    result $? "completion: $name ($(tr '\n' ' ' <"$folder/offered"))"
}

compare()
{
    sort "$1" >"$folder/a"
    sort "$2" >"$folder/b"
    diff "$folder/a" "$folder/b" >"$folder/stderr"
    result $? "$3"
}

"$writer" list thermoface >"$folder/table"
options_of_page "$texts/thermoface.1" >"$folder/page"
. "$texts/thermoface"
commands=$(sed 's/ --.*//' "$folder/table" | uniq)
: >"$folder/helps"
: >"$folder/completed"
while read -r command; do
    # shellcheck disable=SC2086 # a command of a group is two words
    options_of_help "$thermoface" $command | grep -vx -e --help | sed "s/^/$command /" >>"$folder/helps"
    # shellcheck disable=SC2086
    complete_line thermoface $command -- | grep -vx -e --help | sed "s/^/$command /" >>"$folder/completed"
done <<<"$commands"
# --help itself: of every command, and once in the page.
sed -i '/^--help$/d' "$folder/page"
compare "$folder/table" "$folder/helps" "--help lists the options of the table"
compare "$folder/table" "$folder/page" "thermoface(1) lists the options of the table"
compare "$folder/table" "$folder/completed" "completion offers the options of the table"
counts=$(cd "$folder" && wc -l <table && wc -l <helps && wc -l <page && wc -l <completed)
names=$(for f in table helps page completed; do sed 's/.* --/--/' "$folder/$f" | sort -u | wc -l; done)
# shellcheck disable=SC2086
echo "# options of commands: table, --help, thermoface(1), completion:" $counts
# shellcheck disable=SC2086
echo "# different long names:" $names
[ "$(sort -u <<<"$counts" | wc -l)" = 1 ] && [ "$(head -1 <<<"$counts")" -ge 150 ]
result $? "equal counts: $(tr '\n' ' ' <<<"$counts")"

"$writer" list thermofaced >"$folder/table"
options_of_page "$texts/thermofaced.8" >"$folder/page"
options_of_help "$thermofaced" >"$folder/helps"
. "$texts/thermofaced"
function=thermofaced complete_line thermofaced -- >"$folder/completed"
compare "$folder/table" "$folder/helps" "thermofaced --help lists the options of the table"
compare "$folder/table" "$folder/page" "thermofaced(8) lists the options of the table"
compare "$folder/table" "$folder/completed" "thermofaced's completion offers the options of the table"
# shellcheck disable=SC2046
echo "# options of thermofaced: table, --help, thermofaced(8), completion:" \
    $(cd "$folder" && wc -l <table && wc -l <helps && wc -l <page && wc -l <completed)

# Every command is a heading and a line of the synopsis.
for page in thermoface.1 thermofaced.8; do
    if command -v groff >/dev/null; then
        groff -ww -man -K utf8 -z "$texts/$page" 2>"$folder/stderr" && [ ! -s "$folder/stderr" ]
        result $? "$page is sound roff"
    else
        skip "$page is sound roff" "groff is missing"
    fi
done

# Values and words.
offers "of nothing, the commands" "$({ echo help; cut -d' ' -f1 <<<"$commands"; } | sort -u | tr '\n' ' ' | sed 's/ $//')" \
    thermoface ''
offers "of two letters, the commands" "mark" thermoface ma
offers "a group's words" "kernels model pipeline" thermoface bench ''
offers "help's commands" "run" thermoface help ru
offers "help's group" "points" thermoface help calibrate p
offers "an option" "--palette --physio-rate --preset" thermoface run a.mkv --p
offers "words of an argument" "start status stop" thermoface record ''
offers "words of a value" "auto no yes" thermoface run a.mkv --mirror ''
offers "a value after =" "openface" thermoface run a.mkv --csv-profile = o
offers "a value after = that is empty" "openface thermoface" thermoface run a.mkv --csv-profile =
offers "nothing where nobody can guess" "" thermoface run a.mkv --limit ''
offers "no files for a number" "" thermoface mark x --value ''
offers "rows of the format table" "lepton2-y16 lepton2-y16-telemetry lepton2-y16-telemetry-header" \
    "$thermoface" run --format lepton2
"$thermoface" devices --formats | awk '{print $1}' | sort >"$folder/rows"
complete_line "$thermoface" run --format '' >"$folder/offered"
[ -s "$folder/offered" ] && [ -z "$(comm -23 "$folder/offered" "$folder/rows")" ]
result $? "completion: the formats are those that devices --formats lists"
offers "palettes" "inferno iron" "$thermoface" run --palette i
offers "regions" "cheek_left cheek_right" "$thermoface" plot s --regions che
offers "the last region of a list" "nose_tip,chin" "$thermoface" plot s --regions nose_tip,chi
offers "instruction sets" "generic" "$thermoface" model --cpu g
complete_line "$thermoface" run --codec '' | grep -q .
result $? "completion: encoders"
mkdir "$folder/d"
(cd "$folder/d" && mkdir "a folder" && : >"a file.mkv")
cd "$folder/d" || exit 99
offers "files" "a file.mkv a folder" thermoface run --csv a
offers "folders" "a folder" thermoface verify ''
function=thermofaced offers "files of the daemon" "a file.mkv a folder" thermofaced --config a
function=thermofaced offers "files after the daemon's short option" "a file.mkv a folder" thermofaced -c a

# Cameras: of the service that answers at --url.
python3 "$here/fake_server.py" "$folder/port" 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [ -s "$folder/port" ] && break; sleep 0.05; done
url=http://127.0.0.1:$(cat "$folder/port")
offers "cameras of the running service" "face_1 room thermal" "$thermoface" watch --url "$url" --camera ''
offers "a camera's beginning" "thermal" "$thermoface" watch --url "$url" --camera t
offers "no cameras where no service is" "" "$thermoface" watch --url http://127.0.0.1:9 --camera ''
done_testing
