// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// Numbers that matter here: the usual exit signal, the first real-time signal and the
// last signal of all. The kernel's first real-time signal is 32; C libraries keep two or
// three for themselves, so that their SIGRTMIN is 34 (glibc) or 35 (musl). forktrace
// counts as the kernel does.
const (
	sigChld   = 17
	sigRTMin  = 32
	sigMax    = 64
	rtMaxName = "SIGRTMAX"
)

// signalNames holds the names of all signals by number, as
// include/uapi/asm-generic/signal.h numbers them for x86 and arm64.
var signalNames = [sigMax + 1]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
	7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2",
	13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 17: "SIGCHLD",
	18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF",
	28: "SIGWINCH", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
	32: "SIGRTMIN", 33: "SIGRTMIN+1", 34: "SIGRTMIN+2", 35: "SIGRTMIN+3",
	36: "SIGRTMIN+4", 37: "SIGRTMIN+5", 38: "SIGRTMIN+6", 39: "SIGRTMIN+7",
	40: "SIGRTMIN+8", 41: "SIGRTMIN+9", 42: "SIGRTMIN+10", 43: "SIGRTMIN+11",
	44: "SIGRTMIN+12", 45: "SIGRTMIN+13", 46: "SIGRTMIN+14", 47: "SIGRTMIN+15",
	48: "SIGRTMIN+16", 49: "SIGRTMIN+17", 50: "SIGRTMIN+18", 51: "SIGRTMIN+19",
	52: "SIGRTMIN+20", 53: "SIGRTMIN+21", 54: "SIGRTMIN+22", 55: "SIGRTMIN+23",
	56: "SIGRTMIN+24", 57: "SIGRTMIN+25", 58: "SIGRTMIN+26", 59: "SIGRTMIN+27",
	60: "SIGRTMIN+28", 61: "SIGRTMIN+29", 62: "SIGRTMIN+30", 63: "SIGRTMIN+31",
	64: "SIGRTMAX",
}

// signalAliases are further names that people write.
var signalAliases = map[string]int{
	"SIGIOT": 6, "SIGCLD": 17, "SIGPOLL": 29, "SIGUNUSED": 31, "SIGRTMIN+32": 64,
}

// SignalName is the name of a signal, or "" when sig is none of 1 to 64. Real-time
// signals count from the kernel's SIGRTMIN, which is 32.
func SignalName(sig int) string {
	if sig < 1 || sig > sigMax {
		return ""
	}
	return signalNames[sig]
}

// AppendSignal appends the name of a signal, or its decimal number when it has none: 0
// is no signal, -1 is what a thread has. It does not allocate but to grow dst.
func AppendSignal(dst []byte, sig int) []byte {
	if name := SignalName(sig); name != "" {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(sig), 10)
}

// SignalNames lists the names of the signals 1 to 64.
func SignalNames() []string { return append([]string(nil), signalNames[1:]...) }

// ParseSignal reads a signal: a name in any case, with or without SIG, SIGRTMIN+n and
// SIGRTMAX-n included, or a number from 0 to 255, which is what fits into the flags word
// of clone(2). A name that is no signal gives an [*UnknownNameError].
func ParseSignal(s string) (int, error) {
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 0, 8)
		if err != nil {
			return 0, fmt.Errorf("reading a signal: %w", err)
		}
		return int(n), nil
	}
	unknown := &UnknownNameError{What: "signal", Name: s}
	if len(s) > nearestLength {
		return 0, unknown
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	for sig := 1; sig <= sigMax; sig++ {
		if signalNames[sig] == name {
			return sig, nil
		}
	}
	if sig, ok := signalAliases[name]; ok {
		return sig, nil
	}
	if below, ok := strings.CutPrefix(name, rtMaxName+"-"); ok {
		if n, err := strconv.Atoi(below); err == nil && n >= 0 && n <= sigMax-sigRTMin {
			return sigMax - n, nil
		}
	}
	unknown.Near = Nearest(name, SignalNames())
	return 0, unknown
}
