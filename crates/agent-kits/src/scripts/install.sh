#!/bin/sh
# Makes this host an agent. Again after that: the new program and configuration, the same identity.
# With --take-over also where the agent of another deployment is: it becomes this one's, as the same client.
# No value of a deployment is in this script.
set -eu
umask 077

service=velociraptor_client.service
program=/usr/local/bin/velociraptor_client
config=/etc/velociraptor/client.config.yaml
unit=/etc/systemd/system/$service
kept=/var/lib/velociraptor_client

refuse() {
    echo "nothing was changed: $1" >&2
    echo "next: $2" >&2
    exit 1
}

take=no
case "${1-}" in
'') ;;
--take-over) take=yes ;;
*) refuse "there is no option $1" "sh install.sh, or sh install.sh --take-over" ;;
esac

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
cd -- "$here"

[ "$(id -u)" = 0 ] || refuse "only root can install the agent" "run it as root, as in: sudo sh install.sh"
[ -d /run/systemd/system ] || refuse "systemd does not lead this host, and the agent is a service of it" \
    "start velociraptor_client --config client.config.yaml client by what this host has"

for file in velociraptor_client client.config.yaml "$service" SHA256SUMS uninstall.sh; do
    [ -f "$file" ] || refuse "there is no $file beside this script" "unpack the whole archive anew"
done
sha256sum -c SHA256SUMS >/dev/null 2>&1 || refuse "a file is not the one that was packed (SHA256SUMS)" \
    "unpack the whole archive anew, and compare the archive's own SHA-256"

# The number of the processor is in the header of the program.
case "$(uname -m)" in
x86_64) wanted=3e00 ;;
aarch64) wanted=b700 ;;
i?86) wanted=0300 ;;
*) wanted=unknown ;;
esac
found=$(od -An -tx1 -j18 -N2 velociraptor_client | tr -d ' \n')
[ "$found" = "$wanted" ] || refuse "the program is for another processor than this host's, $(uname -m)" \
    "make a kit for this architecture"

if command -v dpkg-query >/dev/null 2>&1 &&
    dpkg-query -W -f '${db:Status-Status}\n' velociraptor-client 2>/dev/null | grep -qx installed; then
    refuse "the package velociraptor-client is installed on this host" \
        "install a kit in the form deb, or remove the package first: dpkg -r keeps the identity"
fi
if command -v rpm >/dev/null 2>&1 && rpm -q velociraptor_client >/dev/null 2>&1; then
    refuse "the package velociraptor_client is installed on this host" "remove the package first: rpm -e"
fi

# The first line of a unit says to which deployment it belongs.
if [ "$take" = no ] && { [ -e "$unit" ] || [ -e "$config" ]; } &&
    [ "$(head -n 1 "$unit" 2>/dev/null)" != "$(head -n 1 "$service")" ]; then
    refuse "an agent that is not of this kit's deployment is installed here: $unit, $config" \
        "remove it first by what installed it, or sh install.sh --take-over"
fi

# Each file is made beside its place and renamed when it is whole: the agent that runs is not disturbed.
put() {
    rm -f "$2.new"
    cp "$1" "$2.new"
    chown 0:0 "$2.new"
    chmod "$3" "$2.new"
}

for folder in /usr/local/bin /etc/systemd/system; do
    [ -d "$folder" ] || (umask 022 && mkdir -p "$folder")
done
put velociraptor_client "$program" 0755
# That it is there does not say that it runs here.
if ! "$program.new" --nobanner version >/dev/null 2>&1; then
    rm -f "$program.new"
    refuse "the program does not run on this host" \
        "make the kit anew with a binary that does, as the static one (musl)"
fi

trap 'echo "not installed to the end: run it again, or sh uninstall.sh" >&2' EXIT
mkdir -p "$kept/tmp"
chmod 0700 "$kept" "$kept/tmp"
if [ ! -d /etc/velociraptor ]; then
    mkdir /etc/velociraptor
    chmod 0711 /etc/velociraptor
fi
put client.config.yaml "$config" 0600
put "$service" "$unit" 0644
put uninstall.sh "$kept/uninstall.sh" 0700
for file in "$program" "$config" "$unit" "$kept/uninstall.sh"; do
    mv -f "$file.new" "$file"
done

systemctl daemon-reload
systemctl --quiet enable "$service"
# It may have used up its attempts. That there is nothing to reset is no failure.
systemctl reset-failed "$service" 2>/dev/null || true
systemctl restart "$service"
trap - EXIT

echo "installed, and $service runs. It is enrolled when the server says so: see README.txt."
echo "To remove it: sh $kept/uninstall.sh"
