// SPDX-License-Identifier: Apache-2.0

// Package verify asks the running kernel what the rules of package decode predict. Its
// requests are issued by a small program of its own, the executor, because a child that
// shares memory with a Go program would destroy it.
package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// What the executor works with (executor/executor.h).
const (
	maxWords    = 65536
	maxRequests = 1024

	maxPath = 256

	opWords    = 1
	opRequests = 2
	opObserve  = 3

	answerEnded  = 1
	answerKilled = 2
	answerNobody = 3

	callClone   = 1
	callClone3  = 2
	callUnshare = 3

	argsBad    = 1
	argsAtEdge = 2

	// Places in the executor's memory, as a request names them.
	placePidfd  = 1
	placeParent = 2
	placeChild  = 3
	placeTids   = 4
	placeCgroup = 5
	badAddress  = 8

	// patience is how long a worker may take, in seconds: a request, and all of a batch.
	patience      = 2
	patienceBatch = 60
)

type wireRequest struct {
	args                         [12]uint64
	size                         uint64
	tids                         [4]int32
	call, setup, where, answered uint32
	result, unprepared, seen, at int64
}

type shared struct {
	count, done uint32
	words       [maxWords]uint32
	answers     [maxWords]int16
	requests    [maxRequests]wireRequest
	noWorker    int64
	observe     [32]byte
	cgroup      [maxPath]byte
	cells       [4]int64
}

// ErrExecutor says that the executor could not be started or has died.
var ErrExecutor = errors.New("the executor does not answer")

// ErrNoWorker says that the executor could not create the process that makes a request: a
// limit of processes is reached, or memory is short.
var ErrNoWorker = errors.New("no process can be created to make a request")

// Executor is a running executor. It is not for several goroutines at once.
type Executor struct {
	cmd    *exec.Cmd
	to     io.WriteCloser
	from   io.Reader
	memory []byte
	shared *shared
}

// NewExecutor starts the executor, from memory or, where that is forbidden, from a
// temporary file. Close it.
func NewExecutor() (*Executor, error) {
	const noExec = 8 // MFD_NOEXEC_SEAL, 6.3: vm.memfd_noexec can demand it
	fd, err := unix.MemfdCreate("forktrace-verify", unix.MFD_CLOEXEC|noExec)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("forktrace-verify", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: making shared memory: %w", ErrExecutor, err)
	}
	file := os.NewFile(uintptr(fd), "shared")
	defer file.Close()
	size := int(unsafe.Sizeof(shared{}))
	if err := file.Truncate(int64(size)); err != nil {
		return nil, fmt.Errorf("%w: making shared memory: %w", ErrExecutor, err)
	}
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%w: mapping shared memory: %w", ErrExecutor, err)
	}
	e := &Executor{memory: memory, shared: (*shared)(unsafe.Pointer(&memory[0]))}
	if err := e.start(file); err != nil {
		_ = unix.Munmap(memory)
		return nil, err
	}
	return e, nil
}

// start tries both ways to start the program.
func (e *Executor) start(sharedFile *os.File) error {
	var errs []error
	for _, store := range []func() (path string, done func(), err error){inMemory, inFile} {
		path, done, err := store()
		if err == nil {
			err = e.run(path, sharedFile)
			done()
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%w: starting it: %w", ErrExecutor, errors.Join(errs...))
}

func inMemory() (string, func(), error) {
	fd, err := unix.MemfdCreate("forktrace-executor", unix.MFD_CLOEXEC)
	if err != nil {
		return "", nil, fmt.Errorf("making a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "executor")
	if _, err := f.Write(program); err != nil {
		f.Close()
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() { f.Close() }, nil
}

func inFile() (string, func(), error) {
	f, err := os.CreateTemp("", "forktrace-executor-")
	if err != nil {
		return "", nil, err
	}
	done := func() { _ = os.Remove(f.Name()) }
	_, err = f.Write(program)
	if err = errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		done()
		return "", nil, err
	}
	return f.Name(), done, nil
}

func (e *Executor) run(path string, sharedFile *os.File) error {
	cmd := exec.Command(path)
	cmd.ExtraFiles = []*os.File{sharedFile}
	to, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	e.cmd, e.to, e.from = cmd, to, from
	return nil
}

// Close ends the executor.
func (e *Executor) Close() error {
	_ = e.to.Close() // at the end of its input it exits
	err := e.cmd.Wait()
	return errors.Join(err, unix.Munmap(e.memory))
}

// do has a command done and returns the answer.
func (e *Executor) do(op, seconds uint32) (uint32, error) {
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:], op)
	binary.NativeEndian.PutUint32(b[4:], seconds)
	if _, err := e.to.Write(b[:]); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrExecutor, err)
	}
	if _, err := io.ReadFull(e.from, b[:4]); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrExecutor, err)
	}
	answer := binary.NativeEndian.Uint32(b[:])
	if answer == answerNobody {
		return 0, fmt.Errorf("%w: %w", ErrNoWorker, unix.Errno(-e.shared.noWorker))
	}
	return answer, nil
}

// Words issues clone(2) with each word of flags in one process. It is for words that are
// refused. Each answer is a negative error number; 1 is a child, which ended at once.
// They are valid until the next call.
func (e *Executor) Words(words []uint32) ([]int16, error) {
	copy(e.shared.words[:], words)
	e.shared.count, e.shared.done = uint32(len(words)), 0
	answer, err := e.do(opWords, patienceBatch)
	if err != nil {
		return nil, err
	}
	if int(e.shared.done) != len(words) {
		return nil, fmt.Errorf("%w: its worker ended at word %#x (answer %d)", ErrExecutor, words[e.shared.done], answer)
	}
	return e.shared.answers[:len(words)], nil
}

// Refused issues requests that are refused in one process. The results are as those of
// [Executor.Words], and there are at most maxRequests.
func (e *Executor) Refused(requests []decode.Request) ([]int16, error) {
	for i := range requests {
		e.shared.requests[i] = wireOf(&requests[i])
	}
	e.shared.count, e.shared.done = uint32(len(requests)), 0
	answer, err := e.do(opRequests, patienceBatch)
	if err != nil {
		return nil, err
	}
	if done := int(e.shared.done); done != len(requests) {
		return nil, fmt.Errorf("%w: its worker ended at request %+v (answer %d)", ErrExecutor, requests[done], answer)
	}
	for i := range requests {
		e.shared.answers[i] = int16(min(1, e.shared.requests[i].result))
	}
	return e.shared.answers[:len(requests)], nil
}

// Answer is what became of a request.
type Answer struct {
	Errno decode.Errno // 0 if a child was made
	// Hung says that there was no answer in time, Died that the process which made the
	// request ended before it had one.
	Hung, Died bool
	// Unprepared is the error for which the creator could not be brought into the state
	// that was asked for; nothing was requested then.
	Unprepared decode.Errno
	// Seen is what an observation comes to.
	Seen Seen
	// Unseen is the error for which an observation could not be made.
	Unseen decode.Errno
}

// Seen is what an observation of a child comes to.
type Seen int64

// What observations come to.
const (
	SeenNo Seen = iota
	SeenYes
	SeenOther // neither: part of it, or something else
)

// String is the word in reports.
func (s Seen) String() string {
	if s < SeenNo || s > SeenOther {
		return "nothing"
	}
	return [...]string{"no", "yes", "neither"}[s]
}

// Issue makes a request in a process of its own, which is brought into a state before, and
// waits for the child, if there is one. cgroup is the directory for [decode.Request.Cgroup], or to
// move to.
func (e *Executor) Issue(r *decode.Request, setup Setup, cgroup string) (Answer, error) {
	return e.one(opRequests, r, setup, cgroup)
}

// Observe makes a request like [Executor.Issue], with a child that takes part in an
// observation of the executor.
func (e *Executor) Observe(name string, r *decode.Request, setup Setup, cgroup string) (Answer, error) {
	e.shared.observe = [len(e.shared.observe)]byte{}
	copy(e.shared.observe[:], name)
	return e.one(opObserve, r, setup, cgroup)
}

func (e *Executor) one(op uint32, r *decode.Request, setup Setup, cgroup string) (Answer, error) {
	e.shared.count, e.shared.done = 1, 0
	e.shared.cgroup = [maxPath]byte{}
	e.shared.cells = [len(e.shared.cells)]int64{}
	if copy(e.shared.cgroup[:], cgroup) == maxPath {
		return Answer{}, fmt.Errorf("%s: %w", cgroup, unix.ENAMETOOLONG)
	}
	w := &e.shared.requests[0]
	*w = wireOf(r)
	w.setup = uint32(setup)
	answer, err := e.do(op, patience)
	if err != nil {
		return Answer{}, err
	}
	return w.answer(answer, op == opObserve && e.shared.done == 1), nil
}

func (w *wireRequest) answer(how uint32, observed bool) Answer {
	switch {
	case w.unprepared < 0:
		return Answer{Unprepared: decode.Errno(-w.unprepared)}
	case w.answered == 1 && w.result < 0:
		return Answer{Errno: decode.Errno(-w.result)}
	case observed && w.seen < 0:
		return Answer{Unseen: decode.Errno(-w.seen)}
	case observed:
		return Answer{Seen: Seen(w.seen)}
	case w.answered == 0:
		return Answer{Hung: how == answerKilled, Died: how == answerEnded}
	}
	return Answer{Hung: how == answerKilled}
}

// wireOf is a request as the executor takes it. Addresses below a page name places in its
// memory, but for the bad ones.
func wireOf(r *decode.Request) wireRequest {
	w := wireRequest{size: r.Size, call: callClone3}
	for i := range min(len(r.Tids), len(w.tids)) {
		w.tids[i] = r.Tids[i]
	}
	pidfd, parent, tids := r.Pidfd, r.ParentTid, r.SetTid
	if r.PidfdFault == decode.Yes {
		pidfd = badAddress
	}
	if r.SetTidFault == decode.Yes {
		tids = badAddress
	}
	switch r.Entry {
	case decode.EntryUnknown: // of unshare there is nothing but flags
		w.call, w.args[0] = callUnshare, r.Flags
		return w
	case decode.EntryClone:
		if r.PidfdFault == decode.Yes {
			parent = badAddress
		}
		w.call = callClone
		w.args = [12]uint64{0: r.Flags | r.ExitSignal, 1: parent, 5: r.Stack, 7: r.TLS}
		return w
	}
	switch {
	case r.ArgsFault == decode.Yes:
		w.where = argsBad
	case r.Tail == decode.TailFault:
		w.where = argsAtEdge
	}
	w.args = [12]uint64{r.Flags, pidfd, placeChild, parent, r.ExitSignal, r.Stack, r.StackSize, r.TLS, tids, r.SetTidSize, r.Cgroup}
	if r.Tail == decode.TailNonzero {
		w.args[11] = 1
	}
	return w
}
