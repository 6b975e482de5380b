#!/bin/sh
# Takes the agent off this host without a trace; with --keep-identity a later agent is the same client.
# No value of a deployment is in this script.
set -eu

service=velociraptor_client.service
program=/usr/local/bin/velociraptor_client
config=/etc/velociraptor/client.config.yaml
unit=/etc/systemd/system/$service
kept=/var/lib/velociraptor_client
identity=/etc/velociraptor.writeback.yaml

refuse() {
    echo "nothing was changed: $1" >&2
    echo "next: $2" >&2
    exit 1
}

keep=no
case "${1-}" in
'') ;;
--keep-identity) keep=yes ;;
*) refuse "there is no option $1" "sh uninstall.sh, or sh uninstall.sh --keep-identity" ;;
esac

[ "$(id -u)" = 0 ] || refuse "only root can remove the agent" "run it as root, as in: sudo sh uninstall.sh"
if command -v dpkg-query >/dev/null 2>&1 &&
    dpkg-query -W -f '${db:Status-Status}\n' velociraptor-client 2>/dev/null | grep -qx installed; then
    refuse "the agent was installed as the package velociraptor-client" "dpkg --purge velociraptor-client"
fi

if command -v rpm >/dev/null 2>&1 && rpm -q velociraptor_client >/dev/null 2>&1; then
    refuse "the agent was installed as the package velociraptor_client" "rpm -e velociraptor_client"
fi

# One whose file is gone may run still.
if [ -d /run/systemd/system ]; then
    systemctl stop "$service" 2>/dev/null || true
    ! systemctl --quiet is-active "$service" || refuse "$service does not stop" "systemctl status $service"
fi
if [ -e "$unit" ] && command -v systemctl >/dev/null 2>&1; then
    systemctl --quiet disable "$service"
fi
rm -f "$unit" "$unit.new" "$program" "$program.new" "$config" "$config.new"
if [ "$keep" = no ]; then
    rm -f "$identity" "$identity.bak"
fi
rm -rf "$kept"
# Something of somebody else may be in it.
rmdir /etc/velociraptor 2>/dev/null || true
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl reset-failed "$service" 2>/dev/null || true
fi

left=
for path in "$unit" "$program" "$config" "$kept"; do
    [ ! -e "$path" ] || left="$left $path"
done
if [ "$keep" = no ]; then
    for path in "$identity" "$identity.bak"; do
        [ ! -e "$path" ] || left="$left $path"
    done
fi
if [ -n "$left" ]; then
    echo "still there:$left" >&2
    exit 1
fi
echo "removed. The server still lists this host as a client, offline from now on."
