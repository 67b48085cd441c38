# Looks after one throwaway PostgreSQL for a parent that may die at any time, even by SIGKILL.
#
# Arguments: the folder to work under, the folder of the server's programs, then the server's own arguments.
# It makes a folder, prints its path, waits for one line on stdin, makes the cluster and starts the server. stdin is
# a pipe whose other end only the parent holds: its end is the parent's end, whichever way that came about. Then the
# server is stopped and the folder removed. Where the server cannot start or ends by itself, a file `ended` appears.
trap '' HUP INT TERM PIPE
umask 077
base=$1
bin=$2
shift 2
folder=$(mktemp -d "$base/wasmigrate-pg-XXXXXX") || exit 1
echo "$folder"

if read -r begin; then
    if "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C -N \
        </dev/null >"$folder/log" 2>&1; then
        {
            # relative paths in settings count from here
            cd "$folder/data" && "$bin/postgres" -D "$folder/data" -k "$folder" "$@"
            : >"$folder/ended"
        } </dev/null >"$folder/log" 2>&1 &
    else
        : >"$folder/ended"
    fi
    read -r end

    # a fast shutdown; after about five seconds an immediate one, which the server always obeys
    tick=0
    while [ -d "$folder" ] && [ ! -e "$folder/ended" ]; do
        pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null)
        if [ -n "$pid" ]; then
            if [ "$tick" -lt 100 ]; then kill -INT "$pid"; else kill -QUIT "$pid"; fi 2>/dev/null
        fi
        tick=$((tick + 1))
        sleep 0.05 2>/dev/null || sleep 1
    done
    wait
fi
rm -rf "$folder"
