// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// TimeStyle is a way to write the time of a record.
type TimeStyle string

// The styles.
const (
	TimeWall  TimeStyle = "wall"  // time of day, local
	TimeUTC   TimeStyle = "utc"   // date and time, UTC
	TimeBoot  TimeStyle = "boot"  // seconds since boot
	TimeDelta TimeStyle = "delta" // seconds since the line before
	TimeNone  TimeStyle = "none"
)

// TimeStyles lists all styles.
var TimeStyles = []TimeStyle{TimeWall, TimeUTC, TimeBoot, TimeDelta, TimeNone}

// ParseTimeStyle finds a style by its name.
func ParseTimeStyle(s string) (TimeStyle, error) {
	if i := slices.Index(TimeStyles, TimeStyle(s)); i >= 0 {
		return TimeStyles[i], nil
	}
	return "", fmt.Errorf("unknown timestamps %q: must be wall, utc, boot, delta or none", s)
}

// Clock turns the kernel's boot time into the time of day. The distance between the two
// is taken anew now and then, as the time of day may be set.
type Clock struct {
	offset  int64 // wall clock minus boot time, ns
	renewed uint64
	second  int64 // the second that layout holds
	layout  [32]byte
	length  int
}

// renewAfter is how long a distance is used, in ns of boot time.
const renewAfter = uint64(time.Second)

// BootNow is CLOCK_BOOTTIME in ns.
func BootNow() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // the clock exists since 2.6.39
	}
	return uint64(ts.Nano())
}

// Wall is the time of day of a boot time, in ns since 1970.
func (c *Clock) Wall(boot uint64) int64 {
	if c.renewed == 0 || boot > c.renewed+renewAfter {
		now := BootNow()
		c.offset = time.Now().UnixNano() - int64(now)
		c.renewed = now
	}
	return int64(boot) + c.offset
}

// appendRFC3339 appends a boot time as date and time of day, UTC, with nanoseconds.
func (c *Clock) appendRFC3339(dst []byte, boot uint64) []byte {
	wall := c.Wall(boot)
	dst = c.appendSecond(dst, wall, time.UTC, "2006-01-02T15:04:05")
	return append(appendFraction(dst, wall, 9), 'Z')
}

// appendWall appends a boot time as local time of day with microseconds.
func (c *Clock) appendWall(dst []byte, boot uint64) []byte {
	wall := c.Wall(boot)
	dst = c.appendSecond(dst, wall, time.Local, "15:04:05")
	return appendFraction(dst, wall, 6)
}

// appendSecond formats whole seconds, which is slow, once a second.
func (c *Clock) appendSecond(dst []byte, wall int64, zone *time.Location, layout string) []byte {
	if s := wall / 1e9; s != c.second || c.length == 0 {
		c.second = s
		c.length = len(time.Unix(s, 0).In(zone).AppendFormat(c.layout[:0], layout))
	}
	return append(dst, c.layout[:c.length]...)
}

// appendFraction appends the part below a second with the given number of digits.
func appendFraction(dst []byte, ns int64, digits int) []byte {
	frac := ns % 1e9
	for i := digits; i < 9; i++ {
		frac /= 10
	}
	dst = append(dst, '.')
	at := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := digits - 1; i >= 0; i-- {
		dst[at+i] = byte('0' + frac%10)
		frac /= 10
	}
	return dst
}

// appendSeconds appends a number of ns as seconds with microseconds.
func appendSeconds(dst []byte, ns uint64) []byte {
	dst = strconv.AppendUint(dst, ns/1e9, 10)
	return appendFraction(dst, int64(ns%1e9), 6)
}
