#!/bin/sh
# Once the files are gone. Removing keeps the agent's identity, purging does not.
# No value of a deployment is in this script.
set -e

service=velociraptor_client.service

case "$1" in
remove | purge) ;;
*) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # That it had not failed is no failure.
    systemctl reset-failed "$service" 2>/dev/null || true
fi

# One that was installed from an archive since has the same places, and keeps them.
if [ "$1" = purge ] && [ ! -e /usr/local/bin/velociraptor_client ]; then
    rm -f /etc/velociraptor.writeback.yaml /etc/velociraptor.writeback.yaml.bak
    rm -rf /var/lib/velociraptor_client
fi
