# A server and an agent on a systemd host, as a person makes them who has the binary there: the
# measure that `deploy linux --local` is held against. The same waits on conditions.
#
# usage: sh systemd.sh server|agent|down
set -eu
: "${VELOCIRAPTOR:?the binary}"
agents=8000 gui=8889 api=8001
at=/root/by-hand

listening() {
    ss -Hlnt | grep -q "127.0.0.1:$1 "
}

server() {
    umask 077
    mkdir "$at"
    cd "$at"
    useradd --system --no-create-home --shell /usr/sbin/nologin by-hand
    install -m 0755 "$VELOCIRAPTOR" /usr/local/bin/velociraptor
    install -d -m 0750 -g by-hand /etc/velociraptor
    install -d -m 0700 -o by-hand -g by-hand /var/lib/by-hand

    head -c 32 /dev/urandom >salt
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >password
    hash=$(cat salt password | sha256sum | cut -d' ' -f1)
    salt=$(od -An -v -tx1 salt | tr -d ' \n')
    cat >merge.json <<EOF
{"Client": {"server_urls": ["https://localhost:$agents/"], "use_self_signed_ssl": true,
            "labels": ["by-hand"]},
 "Frontend": {"hostname": "localhost", "bind_address": "127.0.0.1", "bind_port": $agents},
 "GUI": {"bind_address": "127.0.0.1", "bind_port": $gui,
         "initial_users": [{"name": "admin", "password_hash": "$hash", "password_salt": "$salt"}]},
 "API": {"hostname": "localhost", "bind_address": "127.0.0.1", "bind_port": $api},
 "Datastore": {"location": "/var/lib/by-hand", "filestore_directory": "/var/lib/by-hand"},
 "Logging": {"output_directory": "/var/lib/by-hand/logs", "separate_logs_per_component": true}}
EOF
    velociraptor --nobanner config generate --merge_file merge.json >server.config.yaml
    install -m 0640 -g by-hand server.config.yaml /etc/velociraptor/server.config.yaml
    # A user of the API, before the first start: it is written by the service's own user.
    : >/var/lib/by-hand/api.yaml
    chown by-hand:by-hand /var/lib/by-hand/api.yaml
    runuser -u by-hand -- velociraptor --nobanner --config /etc/velociraptor/server.config.yaml \
        config api_client --name mcp --role api,administrator /var/lib/by-hand/api.yaml
    mv /var/lib/by-hand/api.yaml api.yaml
    chown root:root api.yaml

    cat >/etc/systemd/system/by-hand-server.service <<EOF
[Unit]
Description=Velociraptor by hand
[Service]
User=by-hand
Group=by-hand
ExecStart=/usr/local/bin/velociraptor --nobanner --config /etc/velociraptor/server.config.yaml frontend --disable-panic-guard
Restart=always
RestartSec=5
LimitNOFILE=20000
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ReadWritePaths=/var/lib/by-hand
CapabilityBoundingSet=
UMask=0077
[Install]
WantedBy=multi-user.target
EOF
    systemctl daemon-reload
    systemctl enable --quiet --now by-hand-server.service
    for port in $agents $gui $api; do
        until listening $port; do sleep 0.05; done
    done
    ask 'SELECT whoami() AS User FROM scope()' | grep -q '"User":"mcp"'
}

ask() {
    velociraptor --nobanner --api_config "$at/api.yaml" query --format jsonl "$1"
}

agent() {
    umask 077
    cd "$at"
    velociraptor --nobanner --config server.config.yaml config client >client.config.yaml
    install -m 0600 client.config.yaml /etc/velociraptor/client.config.yaml
    cat >/etc/systemd/system/by-hand-agent.service <<EOF
[Unit]
Description=Velociraptor agent by hand
[Service]
ExecStart=/usr/local/bin/velociraptor --nobanner --config /etc/velociraptor/client.config.yaml client
Restart=always
RestartSec=120
[Install]
WantedBy=multi-user.target
EOF
    systemctl daemon-reload
    systemctl enable --quiet --now by-hand-agent.service
    # Enrolled is: known with its host name, and with the label.
    enrolled='SELECT client_id FROM clients() WHERE os_info.hostname AND "by-hand" IN labels'
    until client=$(ask "$enrolled" | sed -n 's/.*"client_id":"\([^"]*\)".*/\1/p') && [ -n "$client" ]; do
        sleep 0.05
    done
    flow=$(ask "SELECT collect_client(client_id='$client', artifacts='Generic.Client.Info').flow_id AS F FROM scope()" |
        sed -n 's/.*"F":"\([^"]*\)".*/\1/p')
    finished="SELECT state, total_collected_rows AS Rows FROM flows(client_id='$client', flow_id='$flow')"
    until ask "$finished" | grep -q '"state":"FINISHED","Rows":[1-9]'; do sleep 0.05; done
}

down() {
    systemctl disable --quiet --now by-hand-agent.service 2>/dev/null || :
    systemctl disable --quiet --now by-hand-server.service
    rm -rf /etc/systemd/system/by-hand-*.service /etc/velociraptor* /var/lib/by-hand "$at" \
        /usr/local/bin/velociraptor /var/tmp/Velociraptor*
    systemctl daemon-reload
    userdel by-hand
}

"$1"
