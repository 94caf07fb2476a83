// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"strings"

	"github.com/forktrace/forktrace/internal/host"
)

// Cause is the limit that a group's failures are most likely due to: the fullest of those
// that its creators meet, when it was read. That is a deduction: what refused each of them
// is told by a trace.
type Cause struct {
	host.Limit
	Short string `json:"-"` // for a column
}

// nearlyFull is the used part of a limit from which on it counts as a cause: use goes up and
// down between refusals, and is read at one moment.
const nearlyFull = 0.9

// shortNames of limits that answer EAGAIN.
var shortNames = map[string]string{
	LimitPids: "pids.max", LimitNproc: "nproc", LimitThreadsMax: "threads", LimitPidMax: "pid_max",
}

// causeOf is the fullest of the limits that a group meets, of those that answer EAGAIN; nil
// where none is nearly full. pidns names the pid namespace of its largest process.
func causeOf(e *Entry, pidns string, limits []host.Limit) *Cause {
	var best *Cause
	for _, l := range limits {
		short := shortNames[l.Name]
		if short == "" || l.Max == nil || l.Used == nil || *l.Max == 0 || Fill(l) < nearlyFull || !meets(e, pidns, &l) {
			continue
		}
		if best == nil || Fill(l) > Fill(best.Limit) {
			best = &Cause{l, short}
		}
	}
	return best
}

// meets says whether a group's creators count against a limit.
func meets(e *Entry, pidns string, l *host.Limit) bool {
	switch {
	case l.Name == LimitPids:
		return e.Cgroup == l.Where || l.Where == "/" || strings.HasPrefix(e.Cgroup, l.Where+"/")
	case l.Name == LimitNproc:
		return l.Where == userPlace+e.User
	case strings.HasPrefix(l.Where, pidnsPlace):
		return pidns == pidnsLink(l)
	}
	return true // the machine's
}

// pidnsLink is how /proc/PID/ns/pid names the namespace of a limit.
func pidnsLink(l *host.Limit) string {
	return "pid:[" + strings.TrimPrefix(l.Where, pidnsPlace) + "]"
}

// addCauses tells why groups fail whose main error is EAGAIN.
func (f *Frame) addCauses(limits []host.Limit) {
	for _, entries := range f.Groups {
		for i := range entries {
			e := &entries[i]
			if e.Reason != "EAGAIN" {
				continue
			}
			pidns := ""
			if e.Pid != 0 && !e.Ended {
				pidns = host.Namespace(e.Pid, "pid_for_children")
			}
			e.Cause = causeOf(e, pidns, limits)
		}
	}
}
