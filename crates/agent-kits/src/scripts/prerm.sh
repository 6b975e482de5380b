#!/bin/sh
# While the files are still there. An upgrade leaves the agent running until its successor is there.
# No value of a deployment is in this script.
set -e

service=velociraptor_client.service

case "$1" in
remove | deconfigure) ;;
*) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
    if grep -q "/$service" /proc/self/cgroup; then
        echo "velociraptor-client: the agent cannot remove itself: stopping it would end dpkg half way; remove it by another way onto this host" >&2
        exit 1
    fi
    # One whose unit is gone is none that runs.
    systemctl stop "$service" 2>/dev/null || ! systemctl --quiet is-active "$service"
fi
systemctl --quiet disable "$service" 2>/dev/null || true
