// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// clone3's flags above those of clone(2): bits 32 to 37 have a meaning in Linux 7.3.
const (
	highShift = 32
	highFlags = 1 << 6
	lowFlags  = 1 << 25 // bits 7 to 31: CLONE_NEWTIME is one of them
	lowShift  = 7
)

// high issues each combination of clone3's high flags with one word of each class of low
// ones that clone3 takes.
func (s *sweep) high() error {
	state := s.v.state
	state.Set(decode.CondCgroupBadFD, true) // descriptor 0 is a pipe
	ordinary := s.v.state
	s.v.state = state
	defer func() { s.v.state = ordinary }()
	low := s.lowClasses()
	s.counts.High.Classes = len(low)
	low = thin(low, s.o.Classes)
	for combination := uint64(1); combination < highFlags; combination++ {
		for _, flags := range low {
			if err := s.takeHigh(combination<<highShift | flags); err != nil {
				return err
			}
		}
	}
	if err := s.flushHigh(); err != nil {
		return err
	}
	return s.issueHigh(low)
}

// lowClasses finds a word of each class of flags up to bit 31 that clone3 does not refuse
// early.
func (s *sweep) lowClasses() (words []uint64) {
	classes := map[decode.Class]bool{}
	stride := uint64(max(s.o.Stride, 1))
	for n := uint64(0); n < lowFlags; n += stride {
		if n<<lowShift&decode.CloneDetached != 0 {
			continue
		}
		r := clone3(n << lowShift)
		p := s.v.predict(&r, &s.v.state, s.v.Traits)
		if p.Outcome == decode.OutcomeRefused && s.isEarly(p.Rule) {
			continue
		}
		if class := decode.ClassOf(&r, s.v.Traits); !classes[class] {
			classes[class] = true
			words = append(words, n<<lowShift)
		}
	}
	return words
}

// takeHigh counts a request, and issues it with others if it is refused early.
func (s *sweep) takeHigh(flags uint64) error {
	r := clone3(flags)
	p := s.v.predict(&r, &s.v.state, s.v.Traits)
	h := &s.counts.High
	switch {
	case p.Outcome == decode.OutcomeOpen:
		h.Open++
	case p.Outcome == decode.OutcomeRefused && s.isEarly(p.Rule):
		h.Early++
		s.batch = append(s.batch, r)
		if len(s.batch) == maxRequests {
			return s.flushHigh()
		}
	case p.Outcome == decode.OutcomeRefused:
		h.Late++
	default:
		h.Accepted++
	}
	return nil
}

func (s *sweep) flushHigh() error {
	if len(s.batch) == 0 {
		return nil
	}
	answers, err := s.v.Executor.Refused(s.batch)
	if err != nil {
		return err
	}
	for i := range s.batch {
		p := s.v.predict(&s.batch[i], &s.v.state, s.v.Traits)
		s.compare("clone3", s.batch[i].Flags, p.Rule, answers[i])
	}
	s.counts.Issued += len(s.batch)
	s.batch = s.batch[:0]
	return nil
}

// issueHigh makes the requests that may make a child: all, or as many as the sample has,
// drawn at random.
func (s *sweep) issueHigh(low []uint64) error {
	h := &s.counts.High
	all := h.Late + h.Accepted
	wanted := all
	if !s.o.All {
		wanted = min(all, s.o.Sample)
	}
	left := all
	for combination := uint64(1); combination < highFlags; combination++ {
		for _, flags := range low {
			r := clone3(combination<<highShift | flags)
			p := s.v.predict(&r, &s.v.state, s.v.Traits)
			if p.Outcome == decode.OutcomeOpen || p.Outcome == decode.OutcomeRefused && s.isEarly(p.Rule) {
				continue
			}
			// each of those that are left with the same chance
			if left--; s.random.IntN(left+1) >= wanted {
				continue
			}
			wanted--
			if err := s.issueOne("clone3", &r); err != nil {
				return err
			}
			if wanted%1000 == 0 {
				s.progress(all-left, all)
			}
		}
	}
	return nil
}
