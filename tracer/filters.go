// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/forktrace/forktrace/decode"
)

// CommKey is the name of a task as the kernel keeps it: cut to 15 bytes, zero-terminated.
func CommKey(name string) [decode.CommLen]byte {
	var key [decode.CommLen]byte
	copy(key[:decode.CommLen-1], name)
	return key
}

// fillFilters puts the wanted creators into the maps that the filters look at.
func (k *kernelSide) fillFilters(o *Options) error {
	one := uint8(1)
	for _, uid := range o.UIDs {
		if err := k.maps["uids"].Put(uid, one); err != nil {
			return fmt.Errorf("setting the filter for uid %d: %w", uid, err)
		}
	}
	for _, ppid := range o.PPids {
		if err := k.maps["ppids"].Put(ppid, one); err != nil {
			return fmt.Errorf("setting the filter for parent %d: %w", ppid, err)
		}
	}
	for _, name := range o.Comms {
		if err := k.maps["comms"].Put(CommKey(name), one); err != nil {
			return fmt.Errorf("setting the filter for name %q: %w", name, err)
		}
	}
	if o.CgroupDir != "" {
		dir, err := os.Open(o.CgroupDir)
		if err != nil {
			return fmt.Errorf("opening the cgroup to trace: %w", err)
		}
		defer dir.Close()
		if err := k.maps["cgroups"].Put(uint32(0), uint32(dir.Fd())); err != nil {
			return fmt.Errorf("setting the filter for cgroup %s: %w", o.CgroupDir, err)
		}
	}
	for _, pid := range o.Pids {
		if err := k.joinTree(pid); err != nil {
			return err
		}
	}
	return nil
}

// joinTree adds a process to the tree unless it is a member.
func (k *kernelSide) joinTree(pid uint32) error {
	if err := k.maps["tree"].Update(pid, uint8(1), ebpf.UpdateNoExist); err != nil && !isExist(err) {
		return fmt.Errorf("adding process %d to the tree: %w", pid, err)
	}
	return nil
}
