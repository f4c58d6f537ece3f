# tests/count.sh: what tests/run and tests/arm64 say last. Meson counts programs; a person wants to know about sentences,
# which are in the JUnit file that it leaves.

# count BUILD-FOLDER STATUS: says `N passed, N failed` of the last `meson test` there, which ended with STATUS; fails if one did.
count() {
    junit=$1/meson-logs/testlog.junit.xml
    cases=$(grep -o '<testcase' "$junit" | wc -l)
    failed=$(grep -o '<failure\|<error' "$junit" | wc -l)
    skipped=$(grep -o '<skipped' "$junit" | wc -l)
    [ "$2" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1 # a crash or a time-out leaves no sentence behind
    if [ "$skipped" -gt 0 ]; then
        echo "$((cases - failed - skipped)) passed, $failed failed, $skipped skipped"
    else
        echo "$((cases - failed)) passed, $failed failed"
    fi
    [ "$failed" -eq 0 ]
}
