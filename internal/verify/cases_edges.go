// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// edgeCases are the last values that are taken and the first that are not, where the machine
// decides which these are.
func edgeCases() []Case {
	stack := func(before, size uint64) func(*decode.Request, *decode.State) {
		return func(r *decode.Request, s *decode.State) { r.Stack, r.StackSize = s.TaskSize-before, size }
	}
	tls := func(past uint64) func(*decode.Request, *decode.State) {
		return func(r *decode.Request, s *decode.State) { r.TLS = s.TaskSize - 1 + past }
	}
	tid := func(past int32) func(*decode.Request, *decode.State) {
		return func(r *decode.Request, s *decode.State) { r.Tids = []int32{int32(s.Pids[0].PidMax) - 1 + past} }
	}
	inner := func(past int32) decode.Request { return tid0(pidMaxLimit - 1 + past) }
	all := []Case{
		{Name: "stack-up-to-the-limit", Request: clone3(0), Fit: stack(4096, 4096)},
		{Name: "stack-past-the-limit", Request: clone3(0), Fit: stack(4096, 4097), Rule: "stack-not-user"},
		{Name: "stack-last-byte", Request: clone3(0), Fit: stack(1, 1)},
		{Name: "stack-last-byte-and-one", Request: clone3(0), Fit: stack(1, 2), Rule: "stack-not-user"},
		{Name: "stack-behind-the-limit", Request: clone3(0), Fit: stack(0, 1), Rule: "stack-not-user"},
		{Name: "stack-1<<62", Request: with(clone3(0), func(r *decode.Request) { r.Stack, r.StackSize = 1<<62, 4096 }), Rule: "stack-not-user"},
		{Name: "stack-up-to-1<<63", Request: with(clone3(0), func(r *decode.Request) { r.Stack, r.StackSize = 1<<63-4096, 4096 }), Rule: "stack-not-user"},
		{Name: "clone-settls-last", Request: clone(decode.CloneSetTLS), Fit: tls(0)},
		{Name: "clone-settls-past", Request: clone(decode.CloneSetTLS), Fit: tls(1), Rule: "tls-range"},
		{Name: "clone3-settls-last", Request: clone3(decode.CloneSetTLS), Fit: tls(0)},
		{Name: "clone3-settls-past", Request: clone3(decode.CloneSetTLS), Fit: tls(1), Rule: "tls-range"},
		{Name: "set-tid-pid-max", Request: tid0(1), Fit: tid(1), Rule: "settid-range"},
		{Name: "set-tid-inside-last", Request: inner(0), Setup: SetupInit},
		{Name: "set-tid-inside-past", Request: inner(1), Setup: SetupInit, Rule: "settid-range"},
		{Name: "set-tid-inside-2", Request: tid0(2), Setup: SetupInit},
		{Name: "set-tid-inside-300", Request: tid0(300), Setup: SetupInit},
	}
	for _, bit := range []int{46, 47, 48, 50, 52, 54, 55, 56, 57} {
		all = append(all, Case{Name: "clone-settls-1<<" + string(rune('0'+bit/10)) + string(rune('0'+bit%10)),
			Request: with(clone(decode.CloneSetTLS), func(r *decode.Request) { r.TLS = 1 << bit })})
	}
	for i := range all {
		all[i].Suite, all[i].Source = "rules", factsC
	}
	return all
}

// tid0 asks for one number in the innermost pid namespace.
func tid0(n int32) decode.Request { return tid(0, n) }

// usernsRule is what the sysctl of Debian's kernels adds.
const usernsRule = "deb-userns-disabled"

// usernsCases need that sysctl to be 0 already: it has no form for one namespace alone.
func usernsCases() []Case {
	return []Case{
		{Name: "userns-off", Request: clone(decode.CloneNewUser), Setup: SetupUser, Rule: usernsRule},
		{Name: "userns-off-after-newuser-fs", Request: clone(decode.CloneNewUser | decode.CloneFS), Setup: SetupUser, Rule: usernsRule},
		{Name: "userns-off-before-thread", Request: clone(decode.CloneNewUser | decode.CloneThread), Setup: SetupUser, Rule: usernsRule},
		{Name: "userns-off-root", Request: clone(decode.CloneNewUser), Rule: usernsRule},
	}
}
