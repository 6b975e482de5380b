#!/bin/sh
# Before the files are there. No value of a deployment is in this script.
set -e

case "$1" in
install | upgrade) ;;
*) exit 0 ;;
esac

if ! command -v systemctl >/dev/null 2>&1; then
    echo "velociraptor-client: this host has no systemctl, and the agent is a service of systemd; install systemd, or start the program by what this host has" >&2
    exit 1
fi

# Debian has it; another package may have taken it away.
if [ ! -d /usr/local/bin ]; then
    mkdir -p /usr/local/bin
fi
