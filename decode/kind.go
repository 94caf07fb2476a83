// SPDX-License-Identifier: Apache-2.0

package decode

import "strings"

// Kind is what an attempt makes, or would have made, in the words of people.
type Kind uint8

// The kinds. [Kinds] describes them.
const (
	KindUnknown Kind = iota
	KindProcess
	KindVfork
	KindThread
	KindSharedVMProcess
	KindContainer
	KindKernelThread
	KindUserModeHelper
	KindIOWorker
	KindVhostWorker
	KindIdle
	kindCount
)

// KindInfo is one row of the table of kinds.
type KindInfo struct {
	Kind     Kind
	Name     string // JSON and --kind
	Title    string // for people
	Sentence string
}

// Kinds is the table of kinds, indexed by [Kind].
var Kinds = [kindCount]KindInfo{
	{KindUnknown, "unknown", "unknown", "What was recorded does not tell."},
	{KindProcess, "process", "process", "A process of its own, with a copy-on-write copy of its creator's memory: what fork makes."},
	{KindVfork, "vfork", "vfork process", "A process that borrows its creator's memory while the creating thread sleeps, until it executes a program or exits."},
	{KindThread, "thread", "thread", "One more thread of the creator's process."},
	{KindSharedVMProcess, "shared_vm_process", "process sharing memory", "A process with an id of its own that runs in its creator's memory, at the same time as the creator."},
	{KindContainer, "container", "process in new namespaces", "A process with at least one namespace of its own: how containers and sandboxes start."},
	{KindKernelThread, "kernel_thread", "kernel thread", "A task that runs kernel code only and has no memory of its own in user space."},
	{KindUserModeHelper, "user_mode_helper", "user-mode helper", "A process that the kernel starts by itself to execute a program, as for hot-plug, module loading or core dumps."},
	{KindIOWorker, "io_worker", "io_uring worker", "A thread that the kernel adds to a process to do its io_uring requests."},
	{KindVhostWorker, "vhost_worker", "vhost worker", "A thread that the kernel adds to a process to serve a virtual machine's devices."},
	{KindIdle, "idle", "idle task", "The task that a processor runs when it has nothing to do, made when the processor comes up."},
}

// String is the name used in JSON and on the command line.
func (k Kind) String() string { return k.info().Name }

// Title is the name for people.
func (k Kind) Title() string { return k.info().Title }

// Sentence says what a task of this kind is.
func (k Kind) Sentence() string { return k.info().Sentence }

// MarshalText makes JSON show the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k Kind) info() *KindInfo {
	if k >= kindCount {
		k = KindUnknown
	}
	return &Kinds[k]
}

// kindRule is one row of the table that finds the kind: it holds when the entry is in
// entries, all bits of all are set, any bit of any is (if it has some), and no bit of none.
type kindRule struct {
	entries        EntrySet
	all, any, none uint64
	kind           Kind
}

// byEntry says whether the rule looks at nothing but the entry.
func (r *kindRule) byEntry() bool { return r.all|r.any|r.none == 0 }

func (r *kindRule) holds(entry Entry, flags uint64) bool {
	return r.entries.Has(entry) && flags&r.all == r.all && flags&r.none == 0 &&
		(r.any == 0 || flags&r.any != 0)
}

// kindRules is tried from the top; the first row that holds wins. The kernel's own
// entries say it all: the flags of an io worker are those of a thread. An unknown entry
// with CLONE_UNTRACED is left open, as the kernel sets that flag for its own tasks.
var kindRules = []kindRule{
	{entries: EntriesOf(EntryKernelThread), kind: KindKernelThread},
	{entries: EntriesOf(EntryUserModeHelper), kind: KindUserModeHelper},
	{entries: EntriesOf(EntryIOWorker), kind: KindIOWorker},
	{entries: EntriesOf(EntryVhostWorker), kind: KindVhostWorker},
	{entries: EntriesOf(EntryIdle), kind: KindIdle},
	{entries: EntriesOf(EntryFork), kind: KindProcess},
	{entries: EntriesOf(EntryVfork), kind: KindVfork},
	{entries: EntriesOf(EntryUnknown), all: CloneUntraced, kind: KindUnknown},
	{all: CloneThread, kind: KindThread},
	{any: NamespaceFlags, kind: KindContainer},
	{all: CloneVM | CloneVfork, kind: KindVfork},
	{all: CloneVM, kind: KindSharedVMProcess},
	{none: CloneVM | CloneThread, kind: KindProcess},
}

// KindOf is the kind that an entry and its flags make. Bits of the exit signal must not be
// in flags: 0x80 is CLONE_NEWTIME.
func KindOf(entry Entry, flags uint64) Kind {
	return firstKind(entry, flags, true)
}

// Kind is the kind of the task that the attempt made or would have made. Where the flags
// are not known only the entry counts, and [KindUnknown] is the answer if it does not say.
func (r *Record) Kind() Kind {
	return firstKind(r.Entry, r.Flags, r.Have&HaveFlags != 0)
}

func firstKind(entry Entry, flags uint64, haveFlags bool) Kind {
	for i := range kindRules {
		if rule := &kindRules[i]; (haveFlags || rule.byEntry()) && rule.holds(entry, flags) {
			return rule.kind
		}
	}
	return KindUnknown
}

// ParseKind reads the name of a kind, in any case, with - for _ if one likes. A name
// that is none gives an [*UnknownNameError].
func ParseKind(s string) (Kind, error) {
	name := strings.ReplaceAll(s, "-", "_")
	for i := range Kinds {
		if strings.EqualFold(name, Kinds[i].Name) {
			return Kinds[i].Kind, nil
		}
	}
	return KindUnknown, &UnknownNameError{What: "kind", Name: s, Near: Nearest(name, KindNames())}
}

// KindNames lists the names of all kinds, KindUnknown's too.
func KindNames() []string {
	names := make([]string, len(Kinds))
	for i := range Kinds {
		names[i] = Kinds[i].Name
	}
	return names
}
