#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# First process of a matrix guest: prepares the system, runs every script in /suite/jobs in order and reports on two
# serial ports. /etc/matrix-ports names them:
#
#   OUTPUT   what the jobs print; a line "<SYN>@@ job NAME" comes before each
#   CONTROL  one line per event: "ready RELEASE", "start NAME", "exit NAME STATUS", "results BYTES" with a tar archive
#            of that length after it, "end"
#
# A port that is a pipe would be kinder to programs that look for a terminal, but a daemon left behind by a job would
# keep the pipe open for ever. So the jobs write to the port itself.

/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s
export PATH=/suite/bin:/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp LANG=C

mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpffs /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for controller in pids memory cpu; do
	echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
ip link set lo up
hostname matrix
ulimit -c 0

# shellcheck source=/dev/null
. /etc/matrix-ports
stty -F "$OUTPUT" raw -echo
stty -F "$CONTROL" raw -echo
exec 3>"$CONTROL"
mkdir -p /results
echo "ready $(uname -r)" >&3

for job in /suite/jobs/*; do
	name=${job##*/}
	printf '\n\026@@ job %s\n' "$name" >"$OUTPUT"
	echo "start $name" >&3
	setsid sh "$job" </dev/null >"$OUTPUT" 2>&1 3>&-
	echo "exit $name $?" >&3
done

if [ -n "$(ls -A /results)" ]; then
	tar -C /results -cf /run/results.tar .
	echo "results $(stat -c %s /run/results.tar)" >&3
	cat /run/results.tar >&3
fi
echo end >&3
stty -F "$CONTROL" sane # waits until all is sent
poweroff -f
