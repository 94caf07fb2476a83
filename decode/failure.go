// SPDX-License-Identifier: Apache-2.0

package decode

// Failure is one row of the table of failure texts: what an error number means for a
// creation. It holds when the entry is one of Entries, the layer is Layer (unless that is
// [LayerUnknown]) and, if Flags has any, one of them was asked for.
type Failure struct {
	Errno    Errno // 0 for any
	Entries  EntrySet
	Layer    Layer
	Flags    uint64
	Sentence string
}

const restarted = "not a failure: a signal came first, the call is made again after it"

// Failures is the table of failure texts, tried from the top. Where several causes give
// the same number the text lists them and claims none: kernel/fork.c and what it calls,
// Linux 5.10 to 7.3.
var Failures = []Failure{
	{Layer: LayerSeccomp, Sentence: "refused by a seccomp filter before the kernel looked at it"},
	{Errno: ERESTARTSYS, Sentence: restarted},
	{Errno: ERESTARTNOINTR, Sentence: restarted},
	{Errno: ERESTARTNOHAND, Sentence: restarted},
	{Errno: ERESTARTRestartblock, Sentence: restarted},
	{Errno: EAGAIN, Sentence: "a limit: RLIMIT_NPROC, pids.max, threads-max or pid_max; which one is not known here"},
	{Errno: ENOMEM, Sentence: "no memory for the task, its stack or its page tables, a memory limit, or a pid namespace whose init is gone; which one is not known here"},
	{Errno: EPERM, Flags: NamespaceFlags, Sentence: "new namespaces are not allowed to this caller: no CAP_SYS_ADMIN, or user namespaces forbidden to it (sysctl, chroot, unmapped id, seccomp or security module)"},
	{Errno: EPERM, Entries: EntriesOf(EntryClone3), Sentence: "not allowed: choosing the child's id (set_tid), CLONE_PIDFD_AUTOKILL or the tls address, or a seccomp filter or security module"},
	{Errno: EPERM, Sentence: "not allowed: the tls address is out of range, or a seccomp filter or security module refuses"},
	{Errno: EACCES, Flags: CloneIntoCgroup, Sentence: "no permission to move into that cgroup, or a security module refuses"},
	{Errno: EACCES, Sentence: "a security module or seccomp filter refuses"},
	{Errno: EINVAL, Entries: EntriesOf(EntryClone3), Sentence: "clone_args are not valid: flags that do not go together or that this kernel lacks, or a wrong size, stack, exit signal or set_tid"},
	{Errno: EINVAL, Sentence: "flags that do not go together, that this kernel lacks, or that this caller may not use"},
	{Errno: E2BIG, Entries: EntriesOf(EntryClone3), Sentence: "clone_args is larger than a page, or has something set that this kernel does not know"},
	{Errno: EFAULT, Entries: EntriesOf(EntryClone3), Sentence: "clone_args, set_tid or the place for the pidfd is not in the caller's memory"},
	{Errno: EFAULT, Sentence: "the place for the pidfd, or the tls descriptor, is not in the caller's memory"},
	{Errno: ENOSYS, Sentence: "this kernel lacks the call or a seccomp filter hides it, as container runtimes do with clone3 so that callers fall back to clone"},
	{Errno: EEXIST, Entries: EntriesOf(EntryClone3), Sentence: "an id that set_tid asks for is in use"},
	{Errno: ENOSPC, Flags: NamespaceFlags, Sentence: "too many namespaces: user.max_*_namespaces is reached, or they are nested too deeply"},
	{Errno: ENOSPC, Flags: CloneIntoCgroup, Sentence: "the cgroup's cpuset has no processor or memory node to run on"},
	{Errno: EMFILE, Sentence: "no file descriptor is free for the pidfd (RLIMIT_NOFILE), or one in use lies above fs.nr_open"},
	{Errno: ENFILE, Sentence: "the system has no open file left for the pidfd (fs.file-max)"},
	{Errno: EBADF, Flags: CloneIntoCgroup, Sentence: "the cgroup descriptor is not an open directory of the version 2 hierarchy"},
	{Errno: ENOENT, Flags: CloneIntoCgroup, Sentence: "that cgroup was removed, or lies outside the caller's cgroup namespace"},
	{Errno: ENODEV, Flags: CloneIntoCgroup, Sentence: "that cgroup was removed"},
	{Errno: EBUSY, Flags: CloneIntoCgroup, Sentence: "that cgroup hands controllers to its children, so that it may hold no process itself"},
	{Errno: EOPNOTSUPP, Flags: CloneIntoCgroup, Sentence: "that cgroup cannot take this task: its domain is not valid, or not the thread's own"},
	{Errno: EINTR, Sentence: "the creator was being killed, or a signal came while a namespace was made"},
}

// noName is for numbers that the kernel does not use.
const noName = "the kernel has no error of this number: only a seccomp filter, or a security module in BPF, answers so"

// FailureText says in one sentence what the failure of r means, without naming one cause
// where there can be several. It is "" for a success. For a number that no row explains
// it is the general sentence of the error. It does not
// allocate.
func FailureText(r *Record) string {
	if !r.Failed() {
		return ""
	}
	errno := r.Errno()
	for i := range Failures {
		if Failures[i].holds(errno, r) {
			return Failures[i].Sentence
		}
	}
	if info := errno.Info(); info != nil {
		return info.Sentence
	}
	return noName
}

func (f *Failure) holds(errno Errno, r *Record) bool {
	return (f.Errno == 0 || f.Errno == errno) &&
		f.Entries.Has(r.Entry) &&
		(f.Layer == LayerUnknown || f.Layer == r.Layer) &&
		(f.Flags == 0 || r.Have&HaveFlags != 0 && r.Flags&f.Flags != 0)
}
