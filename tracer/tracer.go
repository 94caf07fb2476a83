// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Tracer is a kernel side that [Open] prepares and [Tracer.Attach] attaches, once. Its other
// methods, but for Close, are for an attached one. Close it; what it attached ends with the
// process in any case.
type Tracer struct {
	kernel   *kernelSide
	reader   *ringbuf.Reader
	base     span // creations that the kernel had counted and we had not when tracing began
	baseErr  error
	gap      span // creations that the kernel counted until the end and we did not
	forksErr error
	missed   uint64
	settled  bool        // missed is final
	watch    *stageWatch // nil where the hooks of the stages stay as they are
	loss     lossMeter
	began    time.Time
	ended    time.Time
}

// New is Open and Attach, and errs as they do.
func New(o Options) (*Tracer, error) {
	t, err := Open(o)
	if err != nil {
		return nil, err
	}
	if err := t.Attach(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Open does what can be done before anything is attached, which takes as long as attaching:
// it reads the kernel's types and the built-in object, and creates the maps. It returns a
// *PrivilegeError when the process may not, a *KernelError when the kernel cannot.
func Open(o Options) (*Tracer, error) {
	side, err := openKernelSide(&o)
	if err != nil {
		return nil, err
	}
	return &Tracer{kernel: side}, nil
}

// Attach loads the programs and attaches them: from then on creations are recorded. It errs
// as Open does; then the Tracer is only to be closed.
func (t *Tracer) Attach() error {
	return explainRefusal(t.attach(t.kernel.options))
}

func (t *Tracer) attach(o *Options) error {
	if err := t.kernel.fillFilters(o); err != nil {
		return err
	}
	reader, err := ringbuf.NewReader(t.kernel.maps["events"])
	if err != nil {
		return fmt.Errorf("opening the ring buffer: %w", err)
	}
	t.reader = reader
	t.kernel.held = append(t.kernel.held, reader)
	if err := t.kernel.attachAll(o); err != nil {
		return err
	}
	if err := t.kernel.adoptTree(o); err != nil {
		return err
	}
	t.base, t.baseErr = t.uncounted()
	if o.Stages == StagesSparing && t.kernel.serves(NeedStages) {
		t.watch = t.kernel.watchStages(o)
	}
	t.began = time.Now()
	return nil
}

// Plan says which hook serves each need, and which better ones did not work.
func (t *Tracer) Plan() []Attached { return t.kernel.attached }

// Elapsed is for how long creations were recorded, valid after Read.
func (t *Tracer) Elapsed() time.Duration { return t.ended.Sub(t.began) }

// TreeEmpty says whether no process is left whose creations are traced. It is always
// false when everyone's are.
func (t *Tracer) TreeEmpty() (bool, error) {
	var key uint32
	err := t.kernel.maps["tree"].NextKey(nil, &key)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for traced processes: %w", err)
	}
	return false, nil
}

// Launch calls start, which must create exactly one process, as syscall.ForkExec does,
// and traces the tree of that process. Nothing that it creates is missed: the kernel
// side adds it to the tree before it runs.
func (t *Tracer) Launch(start func() (pid int, err error)) (int, error) {
	launching := t.kernel.variables["launching"]
	if err := launching.Set(true); err != nil {
		return 0, fmt.Errorf("preparing to trace the command: %w", err)
	}
	pid, err := start()
	return pid, errors.Join(err, launching.Set(false))
}

// Detach ends the recording. What is in the buffer can still be read, and so can the totals.
func (t *Tracer) Detach() error {
	t.watch.end()
	return t.kernel.detach()
}

// Close detaches and releases everything. It must not be called while Read runs.
func (t *Tracer) Close() error {
	t.watch.end()
	return t.kernel.close()
}

// readInterval is how long a record can wait for a reader that was not woken.
const readInterval = 100 * time.Millisecond
