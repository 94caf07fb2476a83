// SPDX-License-Identifier: Apache-2.0

package decode

// ruleCase is a request with the answer that it must get.
type ruleCase struct {
	name    string
	request Request
	user    bool        // an ordinary user's, not root's
	given   []Condition // that hold, beyond an ordinary state
	lacks   []Condition // that do not
	state   func(*State)
	release string // "" is 7.3.4
	arch    string // "" is amd64
	want    Errno  // 0: accepted; anyErrno: what others answer
	rule    string // the rule's ID, if it matters
}

const anyErrno Errno = 1 << 20

const newest = "7.3.4+deb13-cloud-amd64"

func (c *ruleCase) conditions() State {
	s := OrdinaryState(!c.user, c.architecture())
	if s.TaskSize = TaskSizeAMD64; c.architecture() == "arm64" {
		s.TaskSize = 1 << 48
	}
	for _, g := range c.given {
		s.Set(g, true)
	}
	for _, g := range c.lacks {
		s.Set(g, false)
	}
	if c.state != nil {
		c.state(&s)
	}
	return s
}

func (c *ruleCase) architecture() string {
	if c.arch == "" {
		return "amd64"
	}
	return c.arch
}

func (c *ruleCase) traits() (Traits, error) {
	release := c.release
	if release == "" {
		release = newest
	}
	return TraitsOf(release, c.architecture())
}

// errnoOf maps a prediction to what a case wants.
func errnoOf(p Prediction) Errno {
	if p.Outcome == OutcomeRefused && p.Rule.Errno == 0 {
		return anyErrno
	}
	return p.Errno()
}

// Requests of the tests. A place for the pidfd that is not tid's, and a good set_tid.
const (
	somewhere = 0x1000
	elsewhere = 0x2000
	thread    = CloneVM | CloneSighand | CloneThread
)

func cloneCall(flags uint64) Request {
	return Request{Entry: EntryClone, Flags: flags, ParentTid: somewhere}
}

func clone3Call(flags uint64) Request {
	return Request{Entry: EntryClone3, Flags: flags, Size: CloneArgsSize, Pidfd: somewhere, ParentTid: elsewhere}
}

// but applies a change to a request.
func but(r Request, change func(*Request)) Request {
	change(&r)
	return r
}

func signalled(r Request, signal uint64) Request { r.ExitSignal = signal; return r }

func sized(size uint64, tail Tail) Request {
	r := clone3Call(0)
	r.Size, r.Tail = size, tail
	return r
}

func tids(flags uint64, numbers ...int32) Request {
	r := clone3Call(flags)
	r.SetTid, r.SetTidSize, r.Tids = somewhere, uint64(len(numbers)), numbers
	return r
}

func stacked(stack, size uint64) Request {
	r := clone3Call(0)
	r.Stack, r.StackSize = stack, size
	return r
}

func tls(address uint64) Request {
	r := cloneCall(CloneSetTLS)
	r.TLS = address
	return r
}

func into(flags, fd uint64) Request {
	r := clone3Call(flags | CloneIntoCgroup)
	r.Cgroup = fd
	return r
}

func badPidfd(r Request) Request { r.PidfdFault = Yes; return r }

func busy(i int) func(*State) {
	return func(s *State) { s.TidBusy[i] = Yes }
}

func la57(s *State) { s.TaskSize = TaskSizeAMD64LA57 }
