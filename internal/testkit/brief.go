// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"fmt"
	"strconv"
)

// Brief is the part of an event that counting needs.
type Brief struct {
	BootNS, Seq, CPU uint64
	Creator, Child   Process // Child is zero for a failure
}

// Process tells processes apart even when their ids are used again.
type Process struct{ Pid, Start uint64 }

// Failed says whether nothing was created.
func (b *Brief) Failed() bool { return b.Child == Process{} }

// scan reads one line. A load has tens of thousands, and reading them as JSON takes longer
// than tracing them; inside of strings, which are escaped, no such key can appear.
func (b *Brief) scan(line []byte) error {
	_, creator, found := bytes.Cut(line, []byte(`"creator":{`))
	if !found {
		return fmt.Errorf("no creator in %s", line)
	}
	numbers := []struct {
		in  []byte
		key string
		to  *uint64
	}{
		{line, `"boot_ns":`, &b.BootNS}, {line, `"seq":`, &b.Seq}, {line, `"cpu":`, &b.CPU},
		{creator, `"pid":`, &b.Creator.Pid}, {creator, `"start_time":`, &b.Creator.Start},
	}
	if _, child, found := bytes.Cut(line, []byte(`"child":{`)); found {
		numbers = append(numbers, numbers[3:]...)
		numbers[5].in, numbers[5].to = child, &b.Child.Pid
		numbers[6].in, numbers[6].to = child, &b.Child.Start
	}
	for _, n := range numbers {
		var err error
		if *n.to, err = numberAfter(n.in, n.key); err != nil {
			return err
		}
	}
	return nil
}

func numberAfter(line []byte, key string) (uint64, error) {
	_, rest, found := bytes.Cut(line, []byte(key))
	if end := bytes.IndexAny(rest, ",}"); found && end > 0 {
		return strconv.ParseUint(string(rest[:end]), 10, 64)
	}
	return 0, fmt.Errorf("no %s in %s", key, line)
}
