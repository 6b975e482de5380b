# A server in a container, as a person makes it who has the commands docker and velociraptor: the
# measure that `deploy docker` is held against. The same limits, and the same waits on conditions.
#
# usage: sh docker.sh up|down NAME FOLDER AGENTS GUI API
set -eu
what=$1 name=$2 at=$3 agents=$4 gui=$5 api=$6
: "${VELOCIRAPTOR:?the binary}"

down() {
    docker rm --force "$name" >/dev/null
    docker volume rm "$name-data" >/dev/null
    docker network rm "$name-net" >/dev/null
    docker image rm "$name:by-hand" >/dev/null
    rm -rf "$at"
}

up() {
    umask 077
    mkdir -p "$at"
    cd "$at"

    # Configuration, with a first user of the GUI whose password is drawn.
    openssl rand -out salt 32
    openssl rand -hex 24 | tr -d '\n' >password
    hash=$(cat salt password | sha256sum | cut -d' ' -f1)
    salt=$(od -An -v -tx1 salt | tr -d ' \n')
    cat >merge.json <<EOF
{"Client": {"server_urls": ["https://localhost:$agents/"], "use_self_signed_ssl": true},
 "Frontend": {"hostname": "localhost", "bind_address": "0.0.0.0", "bind_port": 8000},
 "GUI": {"bind_address": "0.0.0.0", "bind_port": 8889,
         "public_url": "https://localhost:$gui/app/index.html",
         "initial_users": [{"name": "admin", "password_hash": "$hash", "password_salt": "$salt"}]},
 "API": {"hostname": "localhost", "bind_address": "0.0.0.0", "bind_port": 8001},
 "Datastore": {"location": "/datastore", "filestore_directory": "/datastore"},
 "Logging": {"output_directory": "/datastore/logs", "separate_logs_per_component": true}}
EOF
    "$VELOCIRAPTOR" --nobanner config generate --merge_file merge.json >server.config.yaml
    chown 1000:1000 server.config.yaml

    # The image: the binary, and what it is linked with.
    mkdir -p r/bin r/tmp r/datastore r/etc/velociraptor
    cp "$VELOCIRAPTOR" r/bin/velociraptor
    ldd "$VELOCIRAPTOR" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "r$(dirname "$library")"
        cp -L "$library" "r$library"
    done
    chmod -R go+rX r
    chown 1000:1000 r/datastore
    chmod 700 r/datastore
    chmod 1777 r/tmp
    tar --numeric-owner -C r -cf r.tar .
    docker import -c 'ENTRYPOINT ["/bin/velociraptor"]' -c 'USER 1000:1000' r.tar "$name:by-hand" >/dev/null
    docker volume create "$name-data" >/dev/null
    docker network create "$name-net" >/dev/null

    # A user of the API, before the first start, and the server.
    config=$at/server.config.yaml:/etc/velociraptor/server.config.yaml:ro
    docker run --rm --read-only --network none -v "$name-data:/datastore" -v "$config" \
        --tmpfs /tmp "$name:by-hand" --nobanner --config /etc/velociraptor/server.config.yaml \
        config api_client --name mcp --role api,investigator /dev/stdout >minted 2>minted.err
    # A line for people follows the file on the same stream.
    sed -e '/^Creating API client/d' -e "s/^api_connection_string:.*/api_connection_string: localhost:$api/" \
        minted >api.yaml
    docker create --name "$name" --read-only --user 1000:1000 --cap-drop ALL \
        --security-opt no-new-privileges --memory 512m --memory-swap 512m --cpus 1 \
        --pids-limit 1024 --stop-timeout 60 --network "$name-net" \
        -p "127.0.0.1:$agents:8000" -p "127.0.0.1:$gui:8889" -p "127.0.0.1:$api:8001" \
        -v "$name-data:/datastore" -v "$config" --tmpfs /tmp:size=64m,mode=1777 \
        "$name:by-hand" --nobanner --config /etc/velociraptor/server.config.yaml \
        frontend --disable-panic-guard >/dev/null
    docker start "$name" >/dev/null

    # It is there when agents' port and GUI answer, and a query.
    until curl -ksf -o /dev/null "https://127.0.0.1:$agents/healthz"; do sleep 0.05; done
    until [ "$(curl -ks -o /dev/null -w '%{http_code}' "https://127.0.0.1:$gui/app/index.html")" = 401 ]; do
        sleep 0.05
    done
    "$VELOCIRAPTOR" --nobanner --api_config api.yaml query --format jsonl \
        'SELECT whoami() AS User FROM scope()' >answer
    grep -q '"User":"mcp"' answer
}

"$what"
