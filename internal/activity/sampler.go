// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

// Sampler is a census with a meter.
type Sampler struct {
	*Meter
	Census  *tracer.Census
	Cgroups *host.Cgroups // nil where there is no hierarchy that could be read
	tasks   []host.Tasks  // of all processes, now and then
	samples int
}

// OpenSampler begins to count.
func OpenSampler(o tracer.CensusOptions) (*Sampler, error) {
	s := &Sampler{}
	cgroups, v1, err := host.OpenPidsCgroups()
	o.V1 = v1
	var paths Paths
	if err == nil { // else cgroups have numbers only
		s.Cgroups, paths = cgroups, cgroups
		cgroups.Remember()
	}
	if s.Census, err = tracer.NewCensus(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Meter = NewMeter(paths)
	if _, err := s.Next(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Next is what happened since the last call; nil for the first.
func (s *Sampler) Next() (*Sample, error) {
	snapshot, err := s.Census.Read()
	if err != nil {
		return nil, fmt.Errorf("reading what was counted: %w", err)
	}
	return s.Add(snapshot), nil
}

// Close ends the counting.
func (s *Sampler) Close() error {
	var errs []error
	if s.Census != nil {
		errs = append(errs, s.Census.Close())
	}
	if s.Cgroups != nil {
		errs = append(errs, s.Cgroups.Close())
	}
	return errors.Join(errs...)
}

// Blind says in words what this kernel does not let us see.
func (s *Sampler) Blind() []string {
	var blind []string
	for _, a := range s.Census.Plan() {
		if text := a.Blind(); text != "" && !slices.Contains(blind, text) {
			blind = append(blind, text)
		}
	}
	return blind
}

// shownLimits is how many limits a frame has.
const shownLimits = 3

// FrameOf makes what is shown of a sample, with the limits as they are now.
func (s *Sampler) FrameOf(sample *Sample, at time.Time) *Frame {
	limits := s.Limits(sample)
	f := s.Frame(sample, at, host.ReadMachine(), Nearest(limits, shownLimits))
	f.NotSeen = s.Blind()
	f.addCauses(append(MachineLimits(), limits...))
	s.addParents(f)
	return f
}

// addParents tells for the processes shown whose creator has ended to whom the kernel gave
// them: to another thread of it, the nearest subreaper, or the first process of the pid
// namespace (kernel/exit.c, find_new_reaper).
func (s *Sampler) addParents(f *Frame) {
	var living map[uint32]*Process
	for _, by := range []By{ByProcess, ByAncestor} {
		for i := range f.Groups[by] {
			e := &f.Groups[by][i]
			p := s.Process(tracer.ProcessID{Pid: e.Pid, Start: e.Start})
			if p == nil || p.Ended != 0 {
				continue
			}
			if up := s.Process(p.Parent); up != nil && up.Ended == 0 {
				continue
			}
			pid, ok := host.Parent(e.Pid)
			if started, known := host.StartTicks(e.Pid); !known || started != host.Ticks(e.Start) {
				continue // the number is another process's by now
			}
			if !ok || pid == p.Parent.Pid {
				continue
			}
			if living == nil {
				living = s.living()
			}
			e.Parent = nameOf(living[pid], pid) + "(" + strconv.FormatUint(uint64(pid), 10) + ")"
		}
	}
}
