# tests/figures.sh: what tests/faults and tests/load share; read by them, after `top` and `build` are set.

"$top/deploy/install-packages" -y build test
WM_FIGURES=$(mktemp)
export WM_FIGURES
trap 'rm -f "$WM_FIGURES"' EXIT
status=0

# prepare [meson setup options]: the build folder, up to date.
prepare() {
    if [ ! -f "$build/build.ninja" ]; then
        meson setup "$build" "$top" "$@" >"$build.setup.log" 2>&1 || { cat "$build.setup.log"; exit 1; }
        mv "$build.setup.log" "$build/setup.log"
    fi
    meson compile -C "$build" >"$build/compile.log" 2>&1 || { tail -n 40 "$build/compile.log"; exit 1; }
}

# measure [meson test options]: one test at a time, since they measure seconds; their verdict is said at the end.
measure() {
    meson test -C "$build" --no-rebuild --print-errorlogs --num-processes 1 "$@" >&2 || status=$?
}

# markdown ALIGNMENT: a table of the tab-separated lines on its input, its columns aligned (l or r each) for the eye too.
markdown() {
    awk -F '\t' -v alignment="$1" '
        {
            for (i = 1; i <= NF; i++) {
                cell[NR, i] = $i
                if (NR == 1) width[i] = 3 # room for the dashes
                if (length($i) > width[i]) width[i] = length($i)
            }
            columns = NF
        }
        function row(r,    i, line) {
            line = "|"
            for (i = 1; i <= columns; i++)
                line = line sprintf(substr(alignment, i, 1) == "l" ? " %-" width[i] "s |" : " %" width[i] "s |", cell[r, i])
            return line
        }
        END {
            print row(1)
            line = "|"
            for (i = 1; i <= columns; i++) {
                dashes = sprintf("%" width[i] "s", "")
                gsub(" ", "-", dashes)
                line = line (substr(alignment, i, 1) == "l" ? " " dashes " |" : " " substr(dashes, 2) ": |")
            }
            print line
            for (r = 2; r <= NR; r++) print row(r)
        }'
}

# finish: exits as the tests did.
finish() {
    [ "$status" -eq 0 ] || echo "not all of it held; which tests failed is said above the table, and in $build/meson-logs/testlog.txt" >&2
    exit "$status"
}
