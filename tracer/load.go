// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
)

// openKernelSide reads the kernel's types and the built-in object, beside each other, and
// creates the maps. It returns a *PrivilegeError when the process may not, a *KernelError
// when the kernel cannot.
func openKernelSide(o *Options) (*kernelSide, error) {
	if err := checkPrivilege(); err != nil {
		return nil, err
	}
	var spec *ebpf.CollectionSpec
	var specErr error
	var wg sync.WaitGroup
	wg.Go(func() { spec, specErr = loadBpf() })
	var limits limitsAt
	if !o.NoFailures {
		wg.Go(func() { limits, _ = findLimits() }) // else they are read from /proc later
	}
	kernel, err := KernelTypes()
	wg.Wait()
	if err != nil {
		return nil, err
	}
	if specErr != nil {
		return nil, fmt.Errorf("reading the built-in BPF object: %w", specErr)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, explainRefusal(fmt.Errorf("raising the limit of locked memory, which kernels before 5.11 need: %w", err))
	}
	k, err := loadMaps(kernel, spec, o, limits)
	if err != nil {
		return nil, explainRefusal(err)
	}
	return k, nil
}

// loadMaps creates the maps with the options' sizes and knobs, but no program yet.
func loadMaps(kernel *btf.Spec, spec *ebpf.CollectionSpec, o *Options, limits limitsAt) (*kernelSide, error) {
	if err := configure(spec, kernel, o, limits); err != nil {
		return nil, err
	}
	bare := *spec // the loader changes copies only
	bare.Programs = nil
	coll, err := ebpf.NewCollectionWithOptions(&bare, ebpf.CollectionOptions{Cache: kernelCache})
	if err != nil {
		return nil, fmt.Errorf("creating BPF maps: %w", err)
	}
	return &kernelSide{
		options: o, kernel: kernel, limits: limits, spec: spec, mechanisms: map[string]error{},
		preempted: sync.OnceValues(func() (bool, error) { return tracepointsPreemptible(kernel) }),
		maps:      coll.Maps, variables: coll.Variables, held: closers{closerFunc(coll.Close)},
	}, nil
}

// loadProgram loads one that is made here. Unlike ebpf.NewProgram it does not read the
// kernel's types once more, which takes longer than loading.
func loadProgram(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	one := ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{spec.Name: spec}}
	coll, err := ebpf.NewCollectionWithOptions(&one, ebpf.CollectionOptions{Cache: kernelCache})
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	return coll.DetachProgram(spec.Name), nil
}

type closerFunc func()

func (f closerFunc) Close() error { f(); return nil }

// configure sets knobs and sizes in the specification.
func configure(spec *ebpf.CollectionSpec, kernel *btf.Spec, o *Options, limits limitsAt) error {
	buffer, err := o.bufferSize()
	if err != nil {
		return err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("counting CPUs: %w", err)
	}
	inflightSize := inflightSizeFor(cpus)
	for name, size := range map[string]uint32{
		"events": buffer,
		"tree":   max(treeSize*b2u(o.follows()), uint32(len(o.Pids)), 1),
		// as many creations can be in copy_process at once as there are tasks that fork
		"inflights": inflightSize,
		"reported":  inflightSize,
		// and as many creators wait for a vfork child
		"suspensions": inflightSize,
		"progresses":  max(inflightSize*b2u(o.Stages != StagesOfNone), 1),
		"uids":        max(uint32(len(o.UIDs)), 1),
		"ppids":       max(uint32(len(o.PPids)), 1),
		"comms":       max(uint32(len(o.Comms)), 1),
	} {
		spec.Maps[name].MaxEntries = size
	}
	var launcher, launcherNS uint32
	if o.Launch {
		launcher = uint32(os.Getpid())
		if launcherNS, err = ownPidNamespace(); err != nil {
			return err
		}
	}
	for name, value := range map[string]any{
		"filters":       o.Filtered(),
		"filter_tree":   o.filtersTree(),
		"filter_uid":    o.UIDs != nil,
		"filter_ppid":   o.PPids != nil,
		"filter_comm":   o.Comms != nil,
		"filter_cgroup": o.CgroupDir != "",
		"filter_flags":  o.Flags,
		"failed_only":   o.FailedOnly,
		"details":       o.Details,
		"tell_resumed":  o.Details,
		"stages":        o.Stages != StagesOfNone,
		"stages_of_all": o.Stages == StagesOfAll,
		"follow":        o.follows(),
		"launcher":      launcher,

		"nr_threads_at":         limits.NrThreads,
		"max_threads_at":        limits.MaxThreads,
		"pid_max_at":            limits.PidMax,
		"committed_at":          limits.Committed,
		"overcommit_at":         limits.Overcommit,
		"overcommit_kbytes_at":  limits.Kbytes,
		"overcommit_ratio_at":   limits.Ratio,
		"total_ram_at":          limits.TotalRAM,
		"total_swap_at":         limits.TotalSwap,
		"hstates_at":            limits.Hstates,
		"hstates_max_at":        limits.HstatesMax,
		"nr_open_at":            limits.NrOpen,
		"launcher_pid_ns":       launcherNS,
		"seccomp_has_parameter": seccompHasParameter(kernel),
		"page_size":             uint64(os.Getpagesize()),
		"wake_bytes":            o.wakeBytes(buffer),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if o.census != nil {
		return o.census.configure(spec)
	}
	return nil
}

// seccompHasParameter says whether this kernel's __secure_computing takes an argument, as
// it did up to 6.14. Where BTF does not know the function nothing is attached to it.
func seccompHasParameter(kernel *btf.Spec) bool {
	var fn *btf.Func
	if err := kernel.TypeByName("__secure_computing", &fn); err != nil {
		return false
	}
	proto, ok := fn.Type.(*btf.FuncProto)
	return ok && len(proto.Params) > 0
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
