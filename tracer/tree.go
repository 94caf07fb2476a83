// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
)

// adoptTree completes the tree of wanted processes once its hooks are attached:
// descendants that exist already join, and what ended meanwhile leaves. New ones join
// in the kernel, so the walk is repeated until it finds nothing new.
func (k *kernelSide) adoptTree(o *Options) error {
	for added := 1; o.Follow && added > 0; {
		var err error
		if added, err = k.adoptChildren(); err != nil {
			return err
		}
	}
	return k.pruneTree()
}

// adoptChildren adds every process whose parent is in the tree.
func (k *kernelSide) adoptChildren() (added int, err error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("listing processes: %w", err)
	}
	tree := k.maps["tree"]
	for _, p := range procs {
		stat, err := p.Stat()
		if err != nil || ended(stat) {
			continue
		}
		var in uint8
		if tree.Lookup(uint32(stat.PPID), &in) != nil || tree.Lookup(uint32(p.PID), &in) == nil {
			continue
		}
		if err := k.joinTree(uint32(p.PID)); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}

// pruneTree removes members that ended before the hook on exits could see them as such.
func (k *kernelSide) pruneTree() error {
	var members []uint32
	var pid uint32
	var in uint8
	it := k.maps["tree"].Iterate()
	for it.Next(&pid, &in) {
		members = append(members, pid)
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("listing the tree: %w", err)
	}
	for _, pid := range members {
		if alive(pid) {
			continue
		}
		if err := k.maps["tree"].Delete(pid); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("removing process %d from the tree: %w", pid, err)
		}
	}
	return nil
}

func alive(pid uint32) bool {
	p, err := procfs.NewProc(int(pid))
	if err != nil {
		return false
	}
	stat, err := p.Stat()
	return err == nil && !ended(stat)
}

// ended says whether all threads of a process have ended. The first thread alone may
// end before the others and then shows as a zombie too.
func ended(stat procfs.ProcStat) bool { return stat.State == "Z" && stat.NumThreads <= 1 }
