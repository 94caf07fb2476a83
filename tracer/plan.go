// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Attached is a need and the hook that serves it.
type Attached struct {
	Hook  *Hook
	Tried []Attempt // hooks that would have been preferred, and why they do not work
}

// Attempt is a hook that did not attach.
type Attempt struct {
	Hook *Hook
	Err  error
}

// needs of a trace with these options.
func (o *Options) needs() []Need {
	n := []Need{}
	// ends first, so that no process that joins the tree can leave it unseen
	if o.filtersTree() {
		n = append(n, NeedExited)
	}
	if !o.NoFailures {
		n = append(n, NeedFailed)
	}
	return append(n, NeedCreated)
}

// kernelSide is what is loaded: maps and variables, and the links that keep programs attached.
type kernelSide struct {
	spec      *ebpf.CollectionSpec
	maps      map[string]*ebpf.Map
	variables map[string]*ebpf.Variable
	cache     *btf.Cache
	attached  []Attached
	links     closers
	held      closers
}

// loadMaps creates the maps with the options' sizes and knobs, but no program yet.
func loadMaps(o *Options) (*kernelSide, error) {
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	if err := configure(spec, o); err != nil {
		return nil, err
	}
	k := &kernelSide{spec: spec, cache: btf.NewCache()}
	bare := spec.Copy()
	bare.Programs = nil
	coll, err := ebpf.NewCollectionWithOptions(bare, ebpf.CollectionOptions{Cache: k.cache})
	if err != nil {
		return nil, fmt.Errorf("creating BPF maps: %w", err)
	}
	k.maps, k.variables = coll.Maps, coll.Variables
	k.held = append(k.held, closerFunc(coll.Close))
	return k, nil
}

type closerFunc func()

func (f closerFunc) Close() error { f(); return nil }

// configure sets knobs and sizes in the specification.
func configure(spec *ebpf.CollectionSpec, o *Options) error {
	buffer, err := o.bufferSize()
	if err != nil {
		return err
	}
	for name, size := range map[string]uint32{
		"events": buffer,
		"tree":   max(treeSize*b2u(o.follows()), uint32(len(o.Pids)), 1),
		"uids":   max(uint32(len(o.UIDs)), 1),
		"comms":  max(uint32(len(o.Comms)), 1),
	} {
		spec.Maps[name].MaxEntries = size
	}
	var launcher uint32
	if o.Launch {
		launcher = ownTgid()
	}
	for name, value := range map[string]any{
		"filter_tree":   o.filtersTree(),
		"filter_uid":    o.UIDs != nil,
		"filter_comm":   o.Comms != nil,
		"filter_cgroup": o.CgroupDir != "",
		"filter_flags":  o.Flags,
		"failed_only":   o.FailedOnly,
		"details":       o.Details,
		"follow":        o.follows(),
		"launcher":      launcher,
		"wake_bytes":    o.wakeBytes(buffer),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// attach serves one need with the first hook that works.
func (k *kernelSide) attach(need Need) error {
	var tried []Attempt
	for i := range Hooks {
		h := &Hooks[i]
		if h.Need != need {
			continue
		}
		link, err := k.try(h)
		if err == nil {
			k.links = append(k.links, link)
			k.attached = append(k.attached, Attached{h, tried})
			return nil
		}
		tried = append(tried, Attempt{h, err})
	}
	errs := make([]error, len(tried))
	for i, t := range tried {
		errs[i] = fmt.Errorf("%s: %w", t.Hook.Name, t.Err)
	}
	return fmt.Errorf("finding a hook for %s: %w", need, errors.Join(errs...))
}

// try loads a hook's program and attaches it: only attaching shows that a hook works.
func (k *kernelSide) try(h *Hook) (io.Closer, error) {
	one := k.spec.Copy()
	prog := one.Programs[h.Program]
	one.Programs = map[string]*ebpf.ProgramSpec{h.Program: prog}
	coll, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: k.maps, Cache: k.cache})
	if err != nil {
		return nil, fmt.Errorf("loading program %s: %w", h.Program, err)
	}
	defer coll.Close()
	return h.attach(coll.Programs[h.Program])
}

// detach ends all programs; the maps stay readable.
func (k *kernelSide) detach() error {
	err := k.links.Close()
	k.links = nil
	if err != nil {
		return fmt.Errorf("detaching: %w", err)
	}
	return nil
}

// close releases everything.
func (k *kernelSide) close() error {
	return errors.Join(k.detach(), k.held.Close())
}
