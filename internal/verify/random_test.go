// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// draw is one of the choices.
func draw[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// mostly is the first of the choices three times out of four.
func mostly[T any](r *rand.Rand, usual T, others ...T) T {
	if r.IntN(4) > 0 {
		return usual
	}
	return draw(r, others...)
}

func randomFlags(r *rand.Rand) (flags uint64) {
	for range r.IntN(5) {
		flags |= decode.Flags[r.IntN(len(decode.Flags))].Value
	}
	flags |= mostly(r, 0, uint64(threadFlags), decode.CloneVM|decode.CloneVfork, autokill, decode.CloneNewUser|decode.CloneNewPid)
	if r.IntN(30) == 0 {
		flags |= 1 << r.IntN(64)
	}
	return flags
}

// randomRequest is one that breaks any number of rules, often none.
func randomRequest(r *rand.Rand, s *decode.State) decode.Request {
	flags := randomFlags(r)
	tls := mostly(r, 0, 4096, s.TaskSize-1, s.TaskSize, beyondUser)
	fault := func() decode.Truth { return decode.TruthOf(r.IntN(25) == 0) }
	switch r.IntN(4) {
	case 0:
		return unshare(flags)
	case 1:
		return with(clone(flags), func(q *decode.Request) {
			q.TLS, q.PidfdFault, q.ExitSignal = tls, fault(), mostly(r, 0, uint64(17), 64, 65, 255)
		})
	}
	return with(clone3(flags), func(q *decode.Request) {
		q.TLS, q.PidfdFault = tls, fault()
		q.Size = mostly(r, decode.CloneArgsSize, uint64(0), 63, 64, 72, 79, 80, 87, 96, 4096, 4097)
		q.ExitSignal = mostly(r, 0, uint64(17), 64, 65, 255, 256, 1<<32)
		if q.Size > decode.CloneArgsSize {
			q.Tail = mostly(r, decode.TailZero, decode.TailNonzero, decode.TailFault)
		}
		if r.IntN(6) == 0 {
			q.Stack = draw(r, 0, uint64(1<<20), s.TaskSize-4096, s.TaskSize, 1<<62, beyondUser)
			q.StackSize = draw(r, 0, uint64(1), 4096, 4097, 1<<63)
		}
		if r.IntN(4) == 0 {
			for range r.IntN(4) {
				q.Tids = append(q.Tids, draw(r, 0, int32(1), 2, 7, 301, 4<<20-1, 4<<20, -1))
			}
			q.SetTid, q.SetTidSize = placeTids, mostly(r, uint64(len(q.Tids)), 0, 1, 32, 33)
			q.SetTidFault = fault()
		}
		q.ArgsFault = decode.TruthOf(q.Tail == decode.TailZero && fault() == decode.Yes)
		q.ParentTid = mostly(r, q.ParentTid, q.Pidfd)
		q.Cgroup = mostly(r, 0, uint64(1<<31-1), 1<<31, ^uint64(0))
	})
}

// randomSetup is a state of the creator, or two.
func randomSetup(r *rand.Rand) Setup {
	return mostly(r, 0, SetupUser, SetupUser|SetupNproc0, SetupMapped, SetupUserNS, SetupQuota, SetupChroot, SetupChroot|SetupUser, SetupDeadline,
		SetupDeadline|SetupUser, SetupPid, SetupInit, SetupMapped|SetupInit, SetupDead, SetupSpoilt, SetupOthersPid, SetupTime, SetupTime|SetupPid,
		SetupNoFile, SetupInit|SetupNoFile, SetupAutoreap, SetupThreaded, SetupThreaded|SetupUser, SetupSignalled, SetupSharedSighand)
}

// TestVerifyRandom compares rules and kernel by requests that nobody thought of.
// FORKTRACE_SEED draws others.
func TestVerifyRandom(t *testing.T) {
	testkit.NeedRoot(t)
	seed, _ := strconv.ParseUint(os.Getenv("FORKTRACE_SEED"), 10, 64) // 0 if there is none
	v := newVerifier(t)
	v.state.TidBusy = nil // who knows
	r := rand.New(rand.NewPCG(seed, 0))
	outcomes := map[Outcome]int{}
	for n := range testkit.Scale(8000, 1500) {
		c := Case{Suite: "rules", Name: fmt.Sprintf("random-%d", n), Request: randomRequest(r, &v.state), Setup: randomSetup(r)}
		if c.Request.Entry == decode.EntryClone3 && c.Request.Flags&decode.CloneIntoCgroup != 0 {
			c.Given = badCgroup
		}
		if c.Request.Entry == decode.EntryUnknown && c.Setup == SetupSignalled {
			continue // it is not made again, and waits for nobody
		}
		if signal := (c.Request.Flags | c.Request.ExitSignal) & decode.CSignal; signal == 9 || signal == 19 {
			continue // would kill or stop the creator, which cannot hold them back
		}
		res, err := v.Run(&c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		outcomes[res.Outcome]++
		if res.Outcome == Diverges {
			t.Errorf("%+v\nsetup %#x, request %+v", res, c.Setup, c.Request)
		}
	}
	t.Logf("STAT random=%v", outcomes)
	if outcomes[Conforms] < outcomes[Skipped] {
		t.Errorf("too many are left out: %v", outcomes)
	}
}
