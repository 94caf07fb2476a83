// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tracefsRoots is where tracefs is mounted by convention.
var tracefsRoots = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// openTracefs opens the root of tracefs, mounted or not.
func openTracefs() (*os.Root, error) {
	for _, dir := range tracefsRoots {
		if _, err := os.Stat(filepath.Join(dir, "events")); err == nil {
			return os.OpenRoot(dir)
		}
	}
	return openDetached("tracefs")
}

// openDetached opens the root of a filesystem of the kernel's that nobody has mounted, by a
// mount that is attached nowhere: nothing changes on the host, and it ends with its
// descriptor (fsopen(2), 5.2).
func openDetached(filesystem string) (*os.Root, error) {
	fsfd, err := unix.Fsopen(filesystem, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening %s, which is not mounted: %w", filesystem, err)
	}
	defer unix.Close(fsfd)
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return nil, fmt.Errorf("creating a detached %s: %w", filesystem, err)
	}
	mnt, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, fmt.Errorf("mounting a detached %s: %w", filesystem, err)
	}
	defer unix.Close(mnt)
	return os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", mnt))
}

// tracepointID reads the number by which perf_event_open(2) knows a classic tracepoint.
func tracepointID(root *os.Root, group, name string) (uint64, error) {
	b, err := root.ReadFile(filepath.Join("events", group, name, "id"))
	if err != nil {
		return 0, fmt.Errorf("looking up tracepoint %s:%s: %w", group, name, err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the id of tracepoint %s:%s: %w", group, name, err)
	}
	return id, nil
}

// perfTracepoint is a BPF program on a classic tracepoint. Closing the perf event ends it.
type perfTracepoint struct{ fd int }

func (p perfTracepoint) Close() error { return os.NewSyscallError("close", unix.Close(p.fd)) }

// attachTracepoint puts a program on a classic tracepoint through a perf event, which
// works on every kernel and needs no mount point. The event is opened on one CPU, as it
// must be on some, but a program runs wherever the tracepoint fires.
func attachTracepoint(id uint64, progFD int) (perfTracepoint, error) {
	attr := unix.PerfEventAttr{
		Type:        unix.PERF_TYPE_TRACEPOINT,
		Config:      id,
		Size:        unix.PERF_ATTR_SIZE_VER1,
		Sample_type: unix.PERF_SAMPLE_RAW,
		Sample:      1,
		Wakeup:      1,
	}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return perfTracepoint{}, fmt.Errorf("opening a perf event: %w", err)
	}
	p := perfTracepoint{fd}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, progFD); err != nil {
		return perfTracepoint{}, errors.Join(fmt.Errorf("attaching to a perf event: %w", err), p.Close())
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
		return perfTracepoint{}, errors.Join(fmt.Errorf("enabling a perf event: %w", err), p.Close())
	}
	return p, nil
}
