#!/usr/bin/env bash
# Unpacks syslog-ng for the tests on a Debian. It is not installed: its package and rsyslog's exclude each other.
set -euo pipefail
umask 077

# test/peers/missing.ts looks here. Outside of node_modules, which `npm ci` empties.
home="${TMPDIR:-/tmp}/defender-relay-peers-$(id -u)"
mkdir -p "$home"
# What lies in it will be run: it must not be somebody else's.
[ -O "$home" ] && [ ! -L "$home" ] || { echo "$home belongs to somebody else: remove it" >&2; exit 1; }
[ ! -x "$home/syslog-ng/run" ] || exit 0

work="$(mktemp -d "$home/unpacking.XXXXXX")"
trap 'rm -rf "$work"' EXIT
cd "$work"
# As root apt warns that its own user may not write here, and then downloads as root.
apt-get download -qq -o APT::Sandbox::User=root \
  syslog-ng-core libivykis0 libnet1 libpcre3 libjson-c5 libwrap0 >/dev/null
mkdir root
for package in *.deb; do dpkg -x "$package" root; done
rm ./*.deb

libraries=("$home"/syslog-ng/root/{usr/lib/syslog-ng,usr/lib,lib})
modules="$(cd root/usr/lib/syslog-ng && ls -d [0-9]*)"
architecture="$(basename root/usr/lib/*-linux-gnu*)"
cat >run <<RUN
#!/bin/sh
export LD_LIBRARY_PATH="${libraries[0]}:${libraries[1]}/$architecture:${libraries[2]}/$architecture"
exec "$home/syslog-ng/root/usr/sbin/syslog-ng" --module-path="$home/syslog-ng/root/usr/lib/syslog-ng/$modules" "\$@"
RUN
chmod 700 run
rm -rf ../syslog-ng
mkdir ../syslog-ng
# `run` last: where it stands, all stands.
mv root ../syslog-ng/
mv run ../syslog-ng/
