#!/bin/bash
# `watch` against a server that streams, stumbles, refuses and goes away.
. "$(dirname "$0")/tap.sh"

python3 "$(dirname "$0")/fake_server.py" "$folder/port" >"$folder/server.log" 2>&1 </dev/null &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    [ -s "$folder/port" ] && break
    sleep 0.1
done
url=http://127.0.0.1:$(cat "$folder/port")

good "a stream for two seconds" watch --url "$url/" --camera plain --seconds 2
grep -qE 'c  frame [0-9]+  ok .* 1\.8 ms  1 face  nose 33\.2 °C  forehead -  dropped 6' "$folder/stdout"
result $? "a line says what there is; a region that is not valid has no temperature"
[ "$(wc -l <"$folder/stdout")" -le 3 ]
result $? "one line a second, not one a record"
good "--json passes records on" watch --url "$url" --camera plain --json --seconds 1
jq -se 'length > 5 and .[0].frame == 0 and ([.[].frame] == [range(length)])' "$folder/stdout" >/dev/null
result $? "all of them, as they came"
good "gaps in what this client gets" watch --url "$url" --camera gaps --seconds 2
grep -qE 'missed here [1-9]' "$folder/stdout"
result $? "are counted and said"
good "a stream that ends again and again" watch --url "$url" --camera drops --seconds 3 --json
jq -se '([.[].frame / 100 | floor] | unique | length) >= 3' "$folder/stdout" >/dev/null
result $? "is followed through reconnects"
[ "$(grep -c 'trying again' "$folder/stderr")" -ge 1 ]
result $? "and the loss is said"
good "lines that are no records" watch --url "$url" --camera odd --seconds 1
grep -q 'not a record' "$folder/stderr"
result $? "are named and passed over"
bad 1 '404' "unknown camera ends it" watch --url "$url" --camera nobody --seconds 5
bad 1 '--credentials' "a password is asked for" watch --url "$url" --camera secret --seconds 5
echo "user:word" >"$folder/credentials"
good "credentials from a file" watch --url "$url" --camera secret --seconds 1 --credentials "$folder/credentials"
TF_LAB_CREDENTIALS=$folder/credentials good "credentials that the lab's members can read" watch --url "$url" --camera secret --seconds 1
TF_LAB_CREDENTIALS=$folder/none bad 1 '--credentials' "which are not there" watch --url "$url" --camera secret --seconds 1
TF_LAB_CREDENTIALS=$folder/credentials bad 1 '--credentials' "and go to this machine alone" \
    watch --url "http://127.1:${url##*:}" --camera secret --seconds 1
bad 1 'bytes: not a thermofaced' "a line without end" watch --url "$url" --camera endless --seconds 5

# cameras: how many lines the cameras of the output have, "NAME NAME".
cameras()
{
    awk '{print $2}' "$folder/stdout" | sort -u | tr '\n' ' '
}

good "all cameras of a server that sends them" watch --url "$url/new" --seconds 3
[ "$(cameras)" = "room thermal " ]
result $? "each has lines of its own ($(cameras))"
! grep -q 'missed here' "$folder/stdout" &&
    sed -nE 's/.* thermal .* ([0-9.]+) fps.*/\1/p' "$folder/stdout" | awk '$1 > 25 {bad = 1} END {exit bad || !NR}'
result $? "and counts of its own"
good "a camera that falls silent" watch --url "$url/new" --seconds 5
[ "$(grep -c 'room: no record for' "$folder/stderr")" = 1 ] && ! grep -q 'thermal: no record' "$folder/stderr"
result $? "is named once"
good "all cameras of an older server" watch --url "$url/old/" --seconds 3
[ "$(cameras)" = "room thermal " ] && [ ! -s "$folder/stderr" ]
result $? "are followed on a connection each ($(cameras))"
good "eight cameras" watch --url "$url/eight" --seconds 3 --json
[ "$(jq -r .camera "$folder/stdout" | sort -u | wc -l)" = 8 ]
result $? "all of them"
good "cameras that come and go" watch --url "$url/going" --seconds 6
[ "$(cameras)" = "late room thermal " ] && ! grep -q '404' "$folder/stderr"
result $? "are followed while they are there ($(cameras))"
good "one camera of several" watch --url "$url/old" --camera room --seconds 2
[ "$(cameras)" = "room " ]
result $? "is alone"

# Over TLS, with a certificate of its own.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
python3 "$(dirname "$0")/fake_server.py" "$folder/tls" "$folder/cert.pem" "$folder/key.pem" >/dev/null 2>&1 </dev/null &
tls_server=$!
trap 'kill $server $tls_server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    [ -s "$folder/tls" ] && break
    sleep 0.1
done
tls=https://127.0.0.1:$(cat "$folder/tls")
bad 1 '--ca FILE names the certificate' "a certificate that nobody vouches for" watch --url "$tls" --camera plain --seconds 9
good "--ca" watch --url "$tls/old" --ca "$folder/cert.pem" --seconds 6
[ "$(cameras)" = "room thermal " ]
result $? "trusts it ($(cameras))"
bad 1 '--ca wants a file' "--ca with no file" watch --url "$tls" --ca "$folder/none.pem" --seconds 9
bad 1 '--ca FILE names' "record over TLS" record status --url "$tls"
bad 1 'not a thermofaced' "record over TLS with --ca" record status --url "$tls" --ca "$folder/cert.pem"
bad 1 '--ca FILE names' "calibrate live over TLS" calibrate live --thermal a --visible b --output "$folder/c" \
    --seconds 1 --url "$tls"
[ "$("$thermoface" complete cameras --url "$tls" --ca "$folder/cert.pem" | sort | tr '\n' ' ')" = "face_1 room thermal " ]
result $? "completion over TLS"

"$thermoface" watch --url "$url" --camera plain >"$folder/stdout" 2>"$folder/stderr" &
pid=$!
sleep 1
kill -INT $pid
wait $pid
[ $? = 0 ] && clean && [ -s "$folder/stdout" ]
result $? "Ctrl-C ends it with 0"
done_testing
