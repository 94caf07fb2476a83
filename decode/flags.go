// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"iter"
	"math/bits"
	"strconv"
)

// The flags of clone(2), clone3(2), unshare(2) and setns(2), as they stand in
// include/uapi/linux/sched.h of Linux 7.3. [Flags] says what each of them means.
const (
	CloneNewTime       uint64 = 0x80 // part of the exit signal in clone(2)
	CloneVM            uint64 = 0x100
	CloneFS            uint64 = 0x200
	CloneFiles         uint64 = 0x400
	CloneSighand       uint64 = 0x800
	ClonePidfd         uint64 = 0x1000
	ClonePtrace        uint64 = 0x2000
	CloneVfork         uint64 = 0x4000
	CloneParent        uint64 = 0x8000
	CloneThread        uint64 = 0x10000
	CloneNewNS         uint64 = 0x20000
	CloneSysvsem       uint64 = 0x40000
	CloneSetTLS        uint64 = 0x80000
	CloneParentSetTid  uint64 = 0x100000
	CloneChildClearTid uint64 = 0x200000
	CloneDetached      uint64 = 0x400000
	CloneUntraced      uint64 = 0x800000
	CloneChildSetTid   uint64 = 0x1000000
	CloneNewCgroup     uint64 = 0x2000000
	CloneNewUTS        uint64 = 0x4000000
	CloneNewIPC        uint64 = 0x8000000
	CloneNewUser       uint64 = 0x10000000
	CloneNewPid        uint64 = 0x20000000
	CloneNewNet        uint64 = 0x40000000
	CloneIO            uint64 = 0x80000000
	CloneClearSighand  uint64 = 1 << 32
	CloneIntoCgroup    uint64 = 1 << 33
	CloneAutoreap      uint64 = 1 << 34
	CloneNNP           uint64 = 1 << 35
	ClonePidfdAutokill uint64 = 1 << 36
	CloneEmptyMntNS    uint64 = 1 << 37
)

// CSignal is the low byte of the flags word of clone(2): there it is the exit signal,
// not a set of flags.
const CSignal uint64 = 0xff

// NamespaceFlags are the flags that give the child a namespace of its own.
const NamespaceFlags = CloneNewTime | CloneNewNS | CloneNewCgroup | CloneNewUTS | CloneNewIPC |
	CloneNewUser | CloneNewPid | CloneNewNet | CloneEmptyMntNS

// Accept says what a system call does with a flag.
type Accept uint8

// What a system call can do with a flag.
const (
	AcceptNo       Accept = iota // it fails with EINVAL
	AcceptYes                    // the flag has the meaning of its row
	AcceptIgnored                // no error and no effect
	AcceptPretends               // succeeds when nothing is shared anyway, else EINVAL
	AcceptVaries                 // depends on the kernel's version; see the row's Caveat
	AcceptOther                  // the bit means something else there; see the row's Caveat
	acceptCount
)

var acceptNames = [acceptCount]string{
	"refused", "accepted", "ignored", "pretended", "varies", "other_meaning",
}

// String is the name used in JSON.
func (a Accept) String() string {
	if a >= acceptCount {
		return "accept " + strconv.Itoa(int(a))
	}
	return acceptNames[a]
}

// MarshalText makes JSON show the name.
func (a Accept) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Flag is one row of the table of flags.
type Flag struct {
	Value uint64 `json:"value"`
	Name  string `json:"name"`  // as in the header, CLONE_VM
	Short string `json:"short"` // as an engineer says it: VM
	Since string `json:"since"` // the Linux version that brought it

	// What the system calls do with it.
	Clone   Accept `json:"clone"`
	Clone3  Accept `json:"clone3"`
	Unshare Accept `json:"unshare"`
	Setns   Accept `json:"setns"`

	// Routine marks bookkeeping that libraries ask for as a matter of course.
	// [StyleBrief] leaves it out.
	Routine bool `json:"routine"`

	Sentence string `json:"sentence"`         // what it does
	Caveat   string `json:"caveat,omitempty"` // what surprises
	Proof    string `json:"proof,omitempty"`  // what shows it in the child before the child runs
	Source   string `json:"source"`
}

// IsNamespace says whether the flag gives the child a namespace of its own.
func (f *Flag) IsNamespace() bool { return f.Value&NamespaceFlags != 0 }

// flagOfBit holds the index in Flags, plus one, of the row for each bit.
var flagOfBit = indexFlags()

func indexFlags() (index [64]uint8) {
	for i := range Flags {
		index[bits.TrailingZeros64(Flags[i].Value)] = uint8(i + 1)
	}
	return index
}

// KnownFlags is the union of all rows of [Flags].
var KnownFlags = unionOfFlags()

func unionOfFlags() (union uint64) {
	for i := range Flags {
		union |= Flags[i].Value
	}
	return union
}

// FlagsIn yields the row of every known flag in flags, lowest bit first. What no row
// explains is in flags &^ [KnownFlags]. It does not allocate.
func FlagsIn(flags uint64) iter.Seq[*Flag] {
	return func(yield func(*Flag) bool) {
		for rest := flags & KnownFlags; rest != 0; rest &= rest - 1 {
			if !yield(&Flags[flagOfBit[bits.TrailingZeros64(rest)]-1]) {
				return
			}
		}
	}
}

// FlagStyle is a way to write flags.
type FlagStyle uint8

// The styles of [AppendFlags].
const (
	StyleFull  FlagStyle = iota // CLONE_VM|CLONE_VFORK
	StyleShort                  // VM|VFORK
	StyleBrief                  // StyleShort without the routine flags
)

// AppendFlags appends flags in the given style, joined by |, lowest bit first. Bits
// without a name follow as one hexadecimal number, whatever the style. No flags at all
// read "0" in StyleFull and StyleShort; in StyleBrief nothing is appended when nothing is
// worth a word. [ParseFlags] reads every style. It does not allocate but to grow dst.
func AppendFlags(dst []byte, flags uint64, style FlagStyle) []byte {
	return AppendFlagsWith(dst, flags, style, 0)
}

// AppendFlagsWith is like [AppendFlags], and leaves out none of those in always.
func AppendFlagsWith(dst []byte, flags uint64, style FlagStyle, always uint64) []byte {
	start := len(dst)
	for rest := flags & KnownFlags; rest != 0; rest &= rest - 1 {
		f := &Flags[flagOfBit[bits.TrailingZeros64(rest)]-1]
		if style == StyleBrief && f.Routine && f.Value&always == 0 {
			continue
		}
		dst = appendBar(dst, start)
		if style == StyleFull {
			dst = append(dst, f.Name...)
		} else {
			dst = append(dst, f.Short...)
		}
	}
	if residue := flags &^ KnownFlags; residue != 0 {
		dst = AppendHex(appendBar(dst, start), residue)
	}
	if len(dst) == start && style != StyleBrief {
		dst = append(dst, '0')
	}
	return dst
}

func appendBar(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, '|')
	}
	return dst
}

// AppendHex appends n as 0x and hexadecimal digits.
func AppendHex(dst []byte, n uint64) []byte {
	return strconv.AppendUint(append(dst, "0x"...), n, 16)
}

// Hex is a number that JSON shows as a string of 0x and hexadecimal digits: JSON readers
// round numbers of more than 53 bits.
type Hex uint64

// MarshalText is what JSON shows.
func (h Hex) MarshalText() ([]byte, error) { return AppendHex(nil, uint64(h)), nil }

// SplitCloneWord takes the first argument of clone(2) apart: the flags, and the exit
// signal that its low byte holds. Bits 32 and above stay in flags, though clone(2) itself
// drops them without an error.
func SplitCloneWord(word uint64) (flags uint64, exitSignal int) {
	return word &^ CSignal, int(word & CSignal)
}
