// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
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
	if o.Stages != StagesOfNone {
		n = append(n, stageNeeds...)
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
	options *Options
	kernel  *btf.Spec
	limits  limitsAt
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
		if covered[need] || need == NeedRequest && !o.Details && o.Stages != StagesOfAll && o.census == nil && !k.needsEntry() {
			continue
		}
		if need == NeedOver && !k.serves(NeedStages) {
			continue // it is told with them
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

// serves says whether a hook was attached for a need.
func (k *kernelSide) serves(need Need) bool {
	return slices.ContainsFunc(k.attached, func(a Attached) bool { return a.Need == need && a.Hook != nil })
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
	if err := k.tellMarkers(k.links); err != nil {
		return err
	}
	if k.options.Stages == StagesOfAll {
		k.measureStages()
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
	coll, err := k.load(h, 0)
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

// load has the kernel verify a hook's program.
func (k *kernelSide) load(h *Hook, log ebpf.LogLevel) (*ebpf.Collection, error) {
	one := *k.spec
	prog := k.spec.Programs[h.Program].Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{h.Program: prog}
	if h.attach.prepare != nil {
		h.attach.prepare(prog, h.Symbol)
	}
	options := ebpf.CollectionOptions{MapReplacements: k.maps, Cache: kernelCache}
	options.Programs.LogLevel = log
	coll, err := ebpf.NewCollectionWithOptions(&one, options)
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) && joinReaders(prog) {
		coll, err = ebpf.NewCollectionWithOptions(&one, options)
	}
	return coll, err
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
