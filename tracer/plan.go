// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
)

// Attached is a need and the hook that serves it.
type Attached struct {
	Need  Need
	Hook  *Hook     // nil when none does
	Tried []Attempt // hooks that would have been preferred, and why they do not work
}

// Blind says in words what a trace does not see for this need; "" is nothing.
func (a *Attached) Blind() string {
	if a.Hook == nil {
		return blindWithout[a.Need]
	}
	return a.Hook.Lacks
}

// Attempt is a hook that did not attach.
type Attempt struct {
	Hook *Hook
	Err  error
}

// needs of a trace with these options, beside successes, in the order of attaching.
func (o *Options) needs() []Need {
	n := []Need{}
	if o.filtersTree() {
		n = append(n, NeedExited)
	}
	if !o.NoFailures {
		n = append(n, NeedFailed, NeedRefused, NeedClone3, NeedSeccomp)
	}
	if o.census != nil {
		return append(n, NeedRequest, NeedEnds, NeedExecs, NeedExisting)
	}
	n = append(n, NeedRequest)
	if o.Stages {
		n = append(n, NeedStages)
	}
	return n
}

// essential needs are those without which there is nothing to trace.
func (n Need) essential() bool {
	return n == NeedCreated || n == NeedFailed || n == NeedExited || n == NeedEnds
}

// wants says whether the options allow a hook.
func (o *Options) wants(h *Hook) bool {
	if h.Plan == "" {
		return true
	}
	return o.Plan == "" || o.Plan == PlanAuto || o.Plan == h.Plan
}

// kernelSide is what is loaded: maps and variables, and the links that keep programs attached.
type kernelSide struct {
	kernel *btf.Spec
	// mechanisms that were tried, and why they do not work
	mechanisms map[string]error
	preempted  func() (bool, error) // whether programs on BTF tracepoints and trampolines can be
	spec       *ebpf.CollectionSpec
	maps       map[string]*ebpf.Map
	variables  map[string]*ebpf.Variable
	attached   []Attached
	links      closers
	programs   []*ebpf.Program // of the attached hooks, for what they missed
	held       closers
}

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
	k, err := loadMaps(kernel, spec, o)
	if err != nil {
		return nil, explainRefusal(err)
	}
	return k, nil
}

// loadMaps creates the maps with the options' sizes and knobs, but no program yet.
func loadMaps(kernel *btf.Spec, spec *ebpf.CollectionSpec, o *Options) (*kernelSide, error) {
	if err := configure(spec, kernel, o); err != nil {
		return nil, err
	}
	bare := *spec // the loader changes copies only
	bare.Programs = nil
	coll, err := ebpf.NewCollectionWithOptions(&bare, ebpf.CollectionOptions{Cache: kernelCache})
	if err != nil {
		return nil, fmt.Errorf("creating BPF maps: %w", err)
	}
	return &kernelSide{
		kernel: kernel, spec: spec, mechanisms: map[string]error{},
		preempted: sync.OnceValues(func() (bool, error) { return tracepointsPreemptible(kernel) }),
		maps:      coll.Maps, variables: coll.Variables, held: closers{closerFunc(coll.Close)},
	}, nil
}

type closerFunc func()

func (f closerFunc) Close() error { f(); return nil }

// configure sets knobs and sizes in the specification.
func configure(spec *ebpf.CollectionSpec, kernel *btf.Spec, o *Options) error {
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
		"progresses":  max(inflightSize*b2u(o.Stages), 1),
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
		"filter_tree":   o.filtersTree(),
		"filter_uid":    o.UIDs != nil,
		"filter_ppid":   o.PPids != nil,
		"filter_comm":   o.Comms != nil,
		"filter_cgroup": o.CgroupDir != "",
		"filter_flags":  o.Flags,
		"failed_only":   o.FailedOnly,
		"details":       o.Details,
		"tell_resumed":  o.Details,
		"stages":        o.Stages,
		"follow":        o.follows(),
		"launcher":      launcher,

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

// served is a need with the hook that was attached for it.
type served struct {
	Attached
	link    io.Closer
	program *ebpf.Program
}

// keep takes what was attached into the kernel side.
func (k *kernelSide) keep(s *served) {
	k.attached = append(k.attached, s.Attached)
	if s.Hook != nil {
		k.links = append(k.links, s.link)
		k.programs = append(k.programs, s.program)
		k.held = append(k.held, s.program)
	}
}

// attachAll serves all needs and then lets the hooks report. Verifying the program for
// successes takes longest, so it is done beside the rest.
func (k *kernelSide) attachAll(o *Options) error {
	var created *served
	var createdErr error
	var wg sync.WaitGroup
	wg.Go(func() { created, createdErr = k.serve(o, NeedCreated) })
	err := k.attachOthers(o)
	wg.Wait()
	if created != nil {
		k.keep(created)
	}
	if err := errors.Join(err, createdErr); err != nil {
		return err
	}
	return k.arm()
}

// attachOthers serves all needs but successes.
func (k *kernelSide) attachOthers(o *Options) error {
	covered := map[Need]bool{}
	for _, need := range o.needs() {
		if covered[need] || need == NeedRequest && !o.Details && !o.Stages && o.census == nil && !k.needsEntry() {
			continue
		}
		s, err := k.serve(o, need)
		if err != nil {
			return err
		}
		k.keep(s)
		if s.Hook == nil {
			continue
		}
		for _, n := range s.Hook.Covers {
			covered[n] = true
		}
	}
	return nil
}

// needsEntry says whether failures come from a hook that does not see the arguments.
func (k *kernelSide) needsEntry() bool {
	return slices.ContainsFunc(k.attached, func(a Attached) bool {
		return a.Need == NeedFailed && a.Hook.Plan == PlanKprobe
	})
}

// armAfter is longer than an attempt takes from one of its hooks to the next.
const armAfter = 5 * time.Millisecond

// arm tells the programs of one another, outermost last.
func (k *kernelSide) arm() error {
	set := map[string]bool{}
	for _, a := range k.attached {
		if a.Hook == nil {
			continue
		}
		switch a.Hook.Need {
		case NeedRequest:
			set["has_entry_hook"] = true
		case NeedRefused:
			set["has_kernel_clone_hook"] = true
		case NeedClone3:
			set["has_clone3_hook"] = true
		}
	}
	for name := range set {
		if err := k.variables[name].Set(true); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if err := k.armStages(); err != nil {
		return err
	}
	time.Sleep(armAfter)
	if err := k.variables["armed"].Set(true); err != nil {
		return fmt.Errorf("arming the hooks: %w", err)
	}
	return nil
}

// serve attaches the first hook that works for a need; for one that is not essential
// there need be none.
func (k *kernelSide) serve(o *Options, need Need) (*served, error) {
	var tried []Attempt
	var hooks, last []*Hook
	for i := range Hooks {
		h := &Hooks[i]
		if h.Need != need || !o.wants(h) {
			continue
		}
		if h.rather != nil {
			if err := h.rather(k); err != nil {
				tried, last = append(tried, Attempt{h, err}), append(last, h)
				continue
			}
		}
		hooks = append(hooks, h)
	}
	for _, h := range append(hooks, last...) {
		link, program, err := k.try(h)
		if err == nil {
			return &served{Attached{need, h, tried}, link, program}, nil
		}
		tried = append(tried, Attempt{h, err})
	}
	if !need.essential() {
		return &served{Attached: Attached{need, nil, tried}}, nil
	}
	return nil, &noHookError{need, tried}
}

// noHookError says that none of the hooks for an essential need works.
type noHookError struct {
	need  Need
	tried []Attempt
}

func (e *noHookError) Error() string { return errors.Join(e.Unwrap()...).Error() }

func (e *noHookError) Unwrap() []error {
	errs := make([]error, len(e.tried))
	for i, t := range e.tried {
		errs[i] = fmt.Errorf("%s: %w", t.Hook.Name, t.Err)
	}
	return errs
}

// try loads a hook's program and attaches it: only attaching shows that a hook works.
func (k *kernelSide) try(h *Hook) (io.Closer, *ebpf.Program, error) {
	if err := k.mechanism(h); err != nil {
		return nil, nil, err
	}
	one := *k.spec
	prog := k.spec.Programs[h.Program].Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{h.Program: prog}
	if h.attach.prepare != nil {
		h.attach.prepare(prog, h.Symbol)
	}
	options := ebpf.CollectionOptions{MapReplacements: k.maps, Cache: kernelCache}
	coll, err := ebpf.NewCollectionWithOptions(&one, options)
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) && joinReaders(prog) {
		coll, err = ebpf.NewCollectionWithOptions(&one, options)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("loading program %s: %w", h.Program, plain(err))
	}
	defer coll.Close()
	link, err := h.attach.attach(coll.Programs[h.Program], h.Symbol)
	if err != nil {
		return nil, nil, fmt.Errorf("attaching program %s: %w", h.Program, plain(err))
	}
	return link, coll.DetachProgram(h.Program), nil
}

// joinReaders makes the functions that the verifier would check by themselves parts of
// the program, for kernels whose functions of that sort take no pointers (before 5.12);
// it says whether there were any.
func joinReaders(spec *ebpf.ProgramSpec) (any bool) {
	for i := range spec.Instructions {
		fn := btf.FuncMetadata(&spec.Instructions[i])
		if i == 0 || fn == nil || fn.Linkage != btf.GlobalFunc {
			continue
		}
		static := *fn
		static.Linkage = btf.StaticFunc
		spec.Instructions[i] = btf.WithFuncMetadata(spec.Instructions[i], &static)
		any = true
	}
	return any
}

// mechanism says why the way that a hook is attached does not work on this kernel; it is
// asked once, and of one function: which others can be hooked shows only with them. Only
// one goroutine attaches hooks that have one.
func (k *kernelSide) mechanism(h *Hook) error {
	first := h.attach.first
	if first == "" {
		return nil
	}
	err, asked := k.mechanisms[first]
	if !asked {
		err = tryMechanism(h)
		k.mechanisms[first] = err
	}
	return err
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
