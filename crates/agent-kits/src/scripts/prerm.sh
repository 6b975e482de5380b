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
    systemctl stop "$service"
fi
systemctl --quiet disable "$service"
