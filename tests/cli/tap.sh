# A small TAP writer for tests that run the built command. Sourced; $1 of the test is the program.
set -u
export LC_ALL=C.UTF-8
thermoface=$1
n=0
folder=$(mktemp -d "${TMPDIR:-/tmp}/thermoface-cli.XXXXXX") || exit 99
trap 'rm -rf "$folder"' EXIT
shared=${TF_SHARED:-$(dirname "$2")/shared}

# result OK NAME: OK is 0 or not.
result()
{
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$folder/stderr" 2>/dev/null | head -n 20
    fi
}

skip()
{
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

done_testing()
{
    echo "1..$n"
}

# run ARGUMENT...: leaves $status, $folder/stdout and $folder/stderr.
run()
{
    timeout 300 "$thermoface" "$@" >"$folder/stdout" 2>"$folder/stderr" </dev/null
    status=$?
}

# A sanitizer's report also ends with status 1, so it is looked for by name.
clean()
{
    ! grep -qE 'Sanitizer|runtime error|Assertion|core dumped' "$folder/stderr"
}

# good NAME ARGUMENT...: exit status 0.
good()
{
    local name=$1
    shift
    run "$@"
    [ $status = 0 ] && clean
    result $? "$name"
}

# bad STATUS PATTERN NAME ARGUMENT...: that exit status, standard error matches, nothing on standard output.
bad()
{
    local want=$1 pattern=$2 name=$3
    shift 3
    run "$@"
    [ $status = "$want" ] && clean && grep -qE -- "$pattern" "$folder/stderr" && [ ! -s "$folder/stdout" ]
    result $? "$name (status $status, wanted $want and /$pattern/)"
}
