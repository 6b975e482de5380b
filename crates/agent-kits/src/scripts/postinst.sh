#!/bin/sh
# Once the files are there. No value of a deployment is in this script.
set -e

service=velociraptor_client.service
program=/usr/local/bin/velociraptor_client

case "$1" in
configure | abort-upgrade | abort-remove | abort-deconfigure) ;;
*) exit 0 ;;
esac

# That it is there does not say that it runs here.
if ! "$program" --nobanner version >/dev/null; then
    echo "velociraptor-client: $program does not run on this host; make the kit anew with a binary that does, as the static one (musl)" >&2
    exit 1
fi

systemctl --quiet enable "$service"

if [ ! -d /run/systemd/system ]; then
    echo "velociraptor-client: systemd does not lead this system now; the agent starts when it does"
    exit 0
fi

systemctl daemon-reload
# It may have used up its attempts. That there is nothing to reset is no failure.
systemctl reset-failed "$service" 2>/dev/null || true

if grep -q "/$service" /proc/self/cgroup; then
    # To start it anew would end dpkg in the middle, too.
    echo "velociraptor-client: installed by the agent itself, which goes on with the old program until: systemctl restart $service"
    exit 0
fi
systemctl restart "$service"
