# Sourced by scripts that run a command against a server of their own: $dir for its log and data, and a free port for it.
# It ends with the script, by its process ID.
dir=$(mktemp -d)
scratch=("$dir")
server=
trap '{ [ -z "$server" ] || { kill "$server" && wait "$server"; }; } 2>/dev/null || true; rm -rf "${scratch[@]}"' EXIT
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
url=http://127.0.0.1:$port

# Waits for the server that was just started in the background, until a command says that it answers.
await() {
  server=$!
  for _ in $(seq 300); do
    kill -0 "$server" 2>/dev/null || { server=; cat "$dir/log"; exit 1; }
    "$@" && return
    sleep 0.1
  done
  echo "the server doesn't answer:"; cat "$dir/log"; exit 1
}
