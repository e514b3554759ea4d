# Lives in a process group of its own, reads from the process that started it, and acts when that one is gone.
# Arguments: the signal that stops the watched process; a folder to remove at the end, or nothing.
trap '' HUP INT QUIT TERM
signal=$1 folder=$2 pid=

while read -r word argument; do
  case $word in
    watch) pid=$argument ;;
    release) pid= ;;
  esac
done

alive() {
  kill -s 0 "$pid" 2>/dev/null || return 1
  # A zombie still takes signals; where there is a /proc, see that it is none.
  if [ -r "/proc/$pid/stat" ]; then
    read -r stat <"/proc/$pid/stat" || return 1
    case ${stat##*)} in ' Z'*) return 1 ;; esac
  fi
} 2>/dev/null

if [ -n "$pid" ]; then
  kill -s "$signal" "$pid" 2>/dev/null
  tries=0
  while alive; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
      kill -s KILL "$pid" 2>/dev/null
      break
    fi
    sleep 0.05
  done
fi

[ -z "$folder" ] || rm -rf "$folder"
