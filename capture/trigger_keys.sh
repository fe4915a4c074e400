#!/bin/sh
# Writes the kernel's names of keys and buttons as a C table. Usage: trigger_keys.sh COMPILER...
# Names of their own come before names of the same key, so that the first with a code is the one to print.
"$@" -E -dM -include linux/input-event-codes.h -xc /dev/null | LC_ALL=C sort | awk '
    $1 == "#define" && $2 ~ /^(KEY|BTN)_/ && NF == 3 &&
    $2 !~ /^KEY_(MAX|CNT|MIN_INTERESTING|RESERVED)$/ {
        line = "{\"" $2 "\", " $2 "},"
        group = $2 ~ /^BTN_(MISC|MOUSE|JOYSTICK|GAMEPAD|DIGI|WHEEL|TRIGGER_HAPPY)$/
        if ($3 ~ /^[0-9]/ && !group) print line; else more = more line "\n"
    }
    END { printf "%s", more }'
