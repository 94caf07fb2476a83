// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"cmp"
	"runtime"
	"slices"
)

// Need is something that a trace wants to know.
type Need string

// The needs. Each is served by the first hook of the table that attaches.
const (
	NeedCreated Need = "successes"
	NeedRequest Need = "requests as the kernel took them"
	NeedFailed  Need = "failures in copy_process"
	NeedRefused Need = "refusals by kernel_clone"
	NeedClone3  Need = "refusals by clone3"
	NeedSeccomp Need = "refusals by seccomp"
	NeedExited  Need = "ends of followed processes"
	NeedStages  Need = "stages inside copy_process"
	NeedOver    Need = "what RLIMIT_NPROC was found to be"

	// those of a census
	NeedEnds     Need = "ends and lifetimes"
	NeedExecs    Need = "executed programs"
	NeedExisting Need = "processes that were there before"
)

// Plan is a family of hooks.
type Plan string

// The plans, best first.
const (
	PlanAuto       Plan = "auto"       // the best hook for each need
	PlanTrampoline Plan = "trampoline" // fentry and fexit
	PlanKprobe     Plan = "kprobe"
	PlanTracepoint Plan = "tracepoint"
)

// Plans lists what --plan accepts.
var Plans = []Plan{PlanAuto, PlanTrampoline, PlanKprobe, PlanTracepoint}

// Hook is one row of the table of attach points.
type Hook struct {
	Name    string // as the kernel calls it
	Plan    Plan   // "": part of every plan
	Need    Need
	Covers  []Need // other needs that it serves as well
	Program string // in bpf/forktrace.bpf.c
	Symbol  string // kernel function, for trampolines and kprobes
	Gives   string
	Lacks   string // blind spots, in words
	Cost    string // who pays for it
	// rather, where it is set, says why on this kernel other hooks are better, which are
	// then tried first; nil if they are not.
	rather func(k *kernelSide) error
	attach attacher
}

// clone3Symbol is the function of the clone3 system call.
var clone3Symbol = map[string]string{"amd64": "__x64_sys_clone3", "arm64": "__arm64_sys_clone3"}[runtime.GOARCH]

// Texts that several rows share.
const (
	givesFailure = "every failure of every creator, kernel threads and io workers too, with the request and the layer"
	givesRequest = "the whole request, the function of kernel-made tasks, and how long copy_process took"
	givesSeccomp = "requests that a seccomp filter refuses"
	givesRefused = "requests that are refused before copy_process"
	givesClone3  = "clone3 requests that are refused before kernel_clone"
	payCreation  = "each creation, some hundred nanoseconds"
	payFailure   = "each creation, some tens of nanoseconds"
	givesStages  = "the stage that a failure reached and the label it left by, and the time that each stage takes"
	payStages    = "each creation and each end of a task, by estimate one to three microseconds in all; a trace of the machine has none while it makes many and none fails"
	payOver      = "each creation, some tens of nanoseconds; a trace of the machine has none while it makes many and none fails"
	payEnd       = "each end of a task, some two tenths of a microsecond; in top and storm only"
	payExec      = "each exec, some two tenths of a microsecond; in top and storm only"
	payFiltered  = "system calls of tasks with a seccomp filter, some tens of nanoseconds each"
)

// allRefusals are the needs that the exit of a system call serves at once.
var allRefusals = []Need{NeedRefused, NeedClone3, NeedSeccomp}

// Hooks is the table of attach points: for each need in order of preference. For returns
// a plain kretprobe comes before kprobe.multi: up to 6.13 the latter tracks two calls for
// each processor (kernel/trace/fprobe.c), the former at least ten (kernel/kprobes.c), and
// what is beyond is missed.
var Hooks = slices.Concat(
	[]Hook{
		{
			Name: "tracepoint/task_newtask", Need: NeedCreated, Program: "task_newtask_classic", attach: attachNewtask,
			rather: (*kernelSide).ratherTracing,
			Gives:  "the same as tp_btf/task_newtask, also of creations that preempt one another inside it",
			Cost:   "each creation, some two thirds of a microsecond",
		},
		{
			Name: "tp_btf/task_newtask", Need: NeedCreated, Program: "task_newtask", attach: attachBTF,
			Gives: "every success, from every creator, with the observation of the child before it runs",
			Cost:  "each creation, some half a microsecond",
		},
		{
			Name: "tp_btf/task_newtask (before 5.15)", Need: NeedCreated, Program: "task_newtask_old", attach: attachBTF,
			Gives: "the same where helpers are missing",
			Cost:  "each creation, some two microseconds",
		},

		{
			Name: "fentry/copy_process", Plan: PlanTrampoline, Need: NeedRequest, Program: "copy_process_fentry",
			Symbol: "copy_process", attach: attachTrampoline, rather: (*kernelSide).ratherProbes, Gives: givesRequest, Cost: payCreation,
		},
		{
			Name: "kprobe.multi/copy_process", Plan: PlanKprobe, Need: NeedRequest, Program: "copy_process_kprobe",
			Symbol: "copy_process", attach: attachKprobeMulti, Gives: givesRequest, Cost: payCreation,
		},
		{
			Name: "kprobe/copy_process", Plan: PlanKprobe, Need: NeedRequest, Program: "copy_process_kprobe",
			Symbol: "copy_process", attach: attachKprobe, Gives: givesRequest, Cost: payCreation,
		},
	},
	onReturn(Hook{Need: NeedFailed, Symbol: "copy_process", Gives: givesFailure}, "copy_process", payFailure, payCreation),
	[]Hook{
		{
			Name: "syscalls:sys_exit_{clone,clone3,fork,vfork}", Plan: PlanTracepoint, Need: NeedFailed, Covers: allRefusals,
			Program: "syscalls_sys_exit", attach: attachSyscallExits,
			Gives: "every failing system call of the four with its errno",
			Lacks: "failures of kernel tasks (threads, user-mode helpers, io and vhost workers) and of 32-bit programs; the layer that refused; how long vfork suspends creators",
			Cost:  "some 30 to 60 ns for every system call of the machine",
		},
		{
			Name: "tp_btf/sys_exit", Plan: PlanTracepoint, Need: NeedFailed, Covers: allRefusals,
			Program: "sys_exit", attach: attachBTF,
			Gives: "every failing system call of the four with its errno, those of 32-bit programs too",
			Lacks: "failures of kernel tasks (threads, user-mode helpers, io and vhost workers); the layer that refused; how long vfork suspends creators",
			Cost:  "some 70 to 140 ns for every system call of the machine",
		},
	},
	onReturn(Hook{Need: NeedRefused, Symbol: "kernel_clone", Gives: givesRefused}, "kernel_clone", payFailure, payCreation),
	onReturn(Hook{Name: "sys_clone3", Need: NeedClone3, Symbol: clone3Symbol, Gives: givesClone3}, "clone3", payFailure, payCreation),
	onReturn(Hook{Need: NeedSeccomp, Symbol: "__secure_computing", Gives: givesSeccomp}, "secure_computing", payFiltered, payFiltered),
	onReturn(Hook{Need: NeedSeccomp, Symbol: "__seccomp_permit_syscall", Gives: givesSeccomp}, "seccomp_permit", payFiltered, payFiltered),
	onReturn(Hook{Need: NeedOver, Symbol: "is_rlimit_overlimit", Gives: "whether the kernel found the user over RLIMIT_NPROC"}, "overlimit", payOver, payOver),
	[]Hook{
		{
			Name: "tracepoint/sched_process_exit", Need: NeedExited, Program: "sched_process_exit_classic", attach: attachSchedExit,
			rather: (*kernelSide).ratherTracing,
			Gives:  "the same as tp_btf/sched_process_exit, also of ends that preempt one another",
			Cost:   "each exit of a task, some tens of nanoseconds",
		},
		{
			Name: "tp_btf/sched_process_exit", Need: NeedExited, Program: "sched_process_exit", attach: attachBTF,
			Gives: "when a followed process ends, so that its number can be reused by another",
			Cost:  "each exit of a task, some tens of nanoseconds",
		},

		{
			Name: "kprobe.multi/stages", Plan: PlanKprobe, Need: NeedStages, Program: "stage_marker", Symbol: "copy_process",
			attach: attachStagesMulti, Gives: givesStages, Cost: payStages,
		},
		{
			Name: "kprobe/stages", Plan: PlanKprobe, Need: NeedStages, Program: "stage_marker", Symbol: "copy_process",
			attach: attachStagesKprobe, Gives: givesStages, Cost: payStages,
		},

		{
			Name: "tracepoint/sched_process_exit (census)", Need: NeedEnds, Program: "census_exit_classic", attach: attachSchedExit,
			rather: (*kernelSide).ratherTracing,
			Gives:  "the end of every task, its status and how long it lived, also of those that preempt one another",
			Cost:   payEnd,
		},
		{
			Name: "tp_btf/sched_process_exit (census)", Need: NeedEnds, Program: "census_exit", attach: attachBTF,
			Gives: "the end of every task, its status and how long it lived",
			Cost:  payEnd,
		},
		{
			Name: "tp_btf/sched_process_exit (census, before 5.12)", Need: NeedEnds, Program: "census_exit_old", attach: attachBTF,
			Gives: "the same; of two threads that end a process at once, both may be counted",
			Cost:  payEnd,
		},

		{
			Name: "tp_btf/sched_process_exec", Need: NeedExecs, Program: "census_exec", attach: attachBTF,
			Gives: "every program that is executed, with its path", Cost: payExec,
		},
		{
			Name: "tracepoint/sched_process_exec", Need: NeedExecs, Program: "census_exec_classic", attach: attachSchedExec,
			Gives: "every program that is executed", Lacks: "the paths of executed programs", Cost: payExec,
		},

		{
			Name: "iter/task", Need: NeedExisting, Program: "census_task", attach: attachIterator,
			Gives: "parents, names and start times of all processes, at once", Cost: "nobody but forktrace, once",
		},
	},
)

// onReturn are the rows for the return of a function: by trampoline, kretprobe and
// kprobe.multi. program begins the names of their programs; pays and probePays are who pays
// for a trampoline and for probes. Without a name the hooks are called after the symbol.
func onReturn(h Hook, program, pays, probePays string) []Hook {
	name := cmp.Or(h.Name, h.Symbol)
	fexit, kretprobe := h, h
	fexit.Name, fexit.Plan, fexit.Program, fexit.Cost = "fexit/"+name, PlanTrampoline, program+"_fexit", pays
	fexit.attach, fexit.rather = attachTrampoline, (*kernelSide).ratherProbes
	kretprobe.Name, kretprobe.Plan, kretprobe.Program, kretprobe.Cost = "kretprobe/"+name, PlanKprobe, program+"_kretprobe", probePays
	multi := kretprobe
	kretprobe.attach = attachKretprobe
	multi.Name, multi.attach = "kretprobe.multi/"+name, attachKretprobeMulti
	return []Hook{fexit, kretprobe, multi}
}

// blindWithout says, for each need, what a trace cannot know when no hook serves it.
var blindWithout = map[Need]string{
	NeedRequest: "durations; arguments of clone3 are read from user memory a second time; the function of kernel-made tasks",
	NeedFailed:  "failures",
	NeedRefused: "requests that kernel_clone refuses before copy_process",
	NeedClone3:  "clone3 requests that are refused before kernel_clone",
	NeedSeccomp: "requests that a seccomp filter refuses",
	NeedStages:  "stages inside copy_process",
	NeedOver:    "whether the kernel found RLIMIT_NPROC reached",
	NeedExecs:   "which programs are executed",

	NeedExisting: "who created the processes that were there before, until they create",
}
