// SPDX-License-Identifier: Apache-2.0

package output

import (
	"math/bits"
	"strconv"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/history"
)

// Values of siginfo_t's si_code (include/uapi/asm-generic/siginfo.h).
const (
	siUser   = 0 // kill(2)
	siKernel = 0x80
	siQueue  = -1
	siTimer  = -2
	siTkill  = -6
)

// sender says who sends the signal that an attempt is made again for; "" if that is not
// known. pid is what names the sender, if a process sent it.
func sender(e *decode.Evidence) (by string, isProcess bool) {
	if e.Known&decode.KnownSender == 0 {
		return "", false
	}
	switch e.SenderCode {
	case siUser, siQueue, siTkill:
		return "process", true
	case siTimer:
		return "POSIX timer", false
	case siKernel:
		return "kernel, as interval timers do", false
	}
	return "kernel", false
}

// Livelock writes that a thread's attempts are interrupted again and again.
func (t *Text) Livelock(l *history.Livelock) error {
	t.buf = t.appendFolded(t.buf, string(appendLivelock(nil, l)))
	return nil
}

func appendLivelock(dst []byte, l *history.Livelock) []byte {
	r := &l.Last
	dst = append(append(append(dst, "livelock: "...), r.Entry.String()...), " of thread "...)
	dst = strconv.AppendUint(dst, uint64(r.Tid), 10)
	dst = AppendSafe(append(dst, " ("...), r.CommBytes())
	dst = strconv.AppendUint(append(dst, ") was interrupted "...), l.Count, 10)
	dst = append(appendSeconds(append(dst, " times in "...), r.Time-min(l.First, r.Time)), " s"...)
	for i, set := 0, l.Signals; set != 0; i, set = i+1, set&(set-1) {
		dst = append(dst, separators[min(i, 1)]...)
		dst = decode.AppendSignal(dst, bits.TrailingZeros64(set)+1)
	}
	dst = appendFrom(dst, &r.Evidence)
	switch {
	case l.EndUnseen:
		return append(dst, "; how it ended is not seen where only failures are traced"...)
	case !l.Ended:
		return append(dst, ", and goes on"...)
	case l.Result < 0:
		return decode.AppendErrno(append(dst, ", then failed with "...), decode.Errno(-l.Result))
	}
	return strconv.AppendInt(append(dst, ", then created "...), int64(l.Result), 10)
}

// separators stand before the first signal and before further ones.
var separators = [...]string{" by ", ", "}

// Livelock writes the same as an object.
func (j *JSON) Livelock(l *history.Livelock) error {
	r := &l.Last
	o := object{buf: j.buf}
	o.open()
	o.text("type", "livelock")
	o.uint("schema", SchemaVersion)
	o.key("time")
	o.buf = append(j.clock.appendRFC3339(append(o.buf, '"'), r.Time), '"')
	o.some = true
	o.uint("boot_ns", r.Time)
	o.text("entry", r.Entry.String())
	o.child("creator")
	o.uint("pid", uint64(r.Pid))
	o.uint("tid", uint64(r.Tid))
	o.key("comm")
	o.buf = appendJSONString(o.buf, r.CommBytes())
	o.close()
	o.uint("restarts", l.Count)
	o.uint("for_ns", r.Time-min(l.First, r.Time))
	o.key("signals")
	o.buf = append(o.buf, '[')
	for set := l.Signals; set != 0; set &= set - 1 {
		o.element()
		o.buf = append(decode.AppendSignal(append(o.buf, '"'), bits.TrailingZeros64(set)+1), '"')
	}
	o.buf = append(o.buf, ']')
	o.some = true
	appendSender(&o, &r.Evidence)
	if !l.EndUnseen {
		o.bool("ended", l.Ended)
	}
	if l.Ended {
		o.int("result", int64(l.Result))
	}
	o.close()
	j.buf = append(o.buf, '\n')
	return nil
}

// appendFrom writes " from process 77 of uid 1000", if that is known.
func appendFrom(dst []byte, e *decode.Evidence) []byte {
	by, isProcess := sender(e)
	switch {
	case isProcess:
		dst = strconv.AppendInt(append(dst, " from process "...), int64(e.SenderPid), 10)
		return strconv.AppendUint(append(dst, " of uid "...), uint64(e.SenderUID), 10)
	case by != "":
		return append(append(dst, " from the "...), by...)
	}
	return dst
}

// appendSender adds who sent the signal, if that is known.
func appendSender(o *object, e *decode.Evidence) {
	by, isProcess := sender(e)
	if by == "" {
		return
	}
	o.child("sender")
	o.signal("signal", e.SenderSignal)
	o.int("code", int64(e.SenderCode))
	if isProcess {
		o.int("pid", int64(e.SenderPid))
		o.uint("uid", uint64(e.SenderUID))
	}
	o.close()
}
