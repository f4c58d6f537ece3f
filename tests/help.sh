# tests/help.sh: read first by the scripts here: --help prints the comment at the script's head, and another option where a
# folder or a number belongs is refused, not built in.
case ${1:-} in
-h | --help)
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit 0
    ;;
-*)
    echo "$0: there is no option $1; see $0 --help" >&2
    exit 2
    ;;
esac
