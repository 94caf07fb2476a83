// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/forktrace/forktrace/decode"
)

// legacyWords is how many combinations of the flag bits of clone(2) there are, 8 to 31.
const legacyWords = 1 << 24

// maxDivergent is how many divergences an exhaustive run explains; it counts all.
const maxDivergent = 20

// Exhaustive says which combinations of the flags of clone(2) to issue.
type Exhaustive struct {
	All    bool   // also those that are accepted, or refused late
	Sample int    // how many of those, drawn at random, if not all
	Seed   uint64 // of the sample
	Stride uint32 // take every so many-th combination; 0 is 1
	// Progress, if set, is told now and then how many combinations are done, of how many.
	Progress func(done, of int)
}

// Counts is what an exhaustive run comes to.
type Counts struct {
	Early    int      `json:"refused_early"` // predicted: refused before anything is copied
	Late     int      `json:"refused_late"`
	Accepted int      `json:"accepted"`
	Open     int      `json:"open"`
	Issued   int      `json:"issued"`
	Diverged int      `json:"diverged"`
	Seconds  float64  `json:"seconds"`
	Results  []Result `json:"results,omitempty"` // the first divergences
	elapsed  time.Duration
}

// sweep is a run over the combinations.
type sweep struct {
	v      *Verifier
	o      Exhaustive
	counts Counts
	early  map[*decode.Rule]bool
	words  []uint32
	wants  []decode.Errno
	rules  []*decode.Rule
	others []uint32 // accepted or refused late: the sample, or all
	random *rand.Rand
	met    int // of others, sampled or not
}

// Exhaustive issues the combinations of the flags of clone(2).
func (v *Verifier) Exhaustive(o Exhaustive) (*Counts, error) {
	s := &sweep{v: v, o: o, early: map[*decode.Rule]bool{}, random: rand.New(rand.NewPCG(o.Seed, o.Seed))}
	s.words = make([]uint32, 0, maxWords)
	s.wants, s.rules = make([]decode.Errno, 0, maxWords), make([]*decode.Rule, 0, maxWords)
	began := time.Now()
	stride := max(o.Stride, 1)
	for n := uint32(0); n < legacyWords; n += stride {
		if err := s.take(n << 8); err != nil {
			return nil, err
		}
		if o.Progress != nil && n%(64*maxWords/4) < stride {
			o.Progress(int(n), legacyWords)
		}
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	if err := s.issueOthers(); err != nil {
		return nil, err
	}
	s.counts.elapsed = time.Since(began)
	s.counts.Seconds = s.counts.elapsed.Seconds()
	return &s.counts, nil
}

// take predicts what becomes of a word and puts it where it belongs.
func (s *sweep) take(word uint32) error {
	r := decode.Request{Entry: decode.EntryClone, Flags: uint64(word), ParentTid: placePidfd}
	p := s.v.predict(&r, &s.v.state, s.v.Traits)
	switch {
	case p.Outcome == decode.OutcomeOpen:
		s.counts.Open++
		return nil
	case p.Outcome == decode.OutcomeRefused && s.isEarly(p.Rule):
		s.counts.Early++
		s.words, s.wants, s.rules = append(s.words, word), append(s.wants, p.Rule.Errno), append(s.rules, p.Rule)
		if len(s.words) == maxWords {
			return s.flush()
		}
		return nil
	case p.Outcome == decode.OutcomeRefused:
		s.counts.Late++
	default:
		s.counts.Accepted++
	}
	s.sample(word)
	return nil
}

func (s *sweep) isEarly(r *decode.Rule) bool {
	early, known := s.early[r]
	if !known {
		early = r.IsEarly()
		s.early[r] = early
	}
	return early
}

// sample keeps a uniform choice of the words that are not refused early.
func (s *sweep) sample(word uint32) {
	s.met++
	if s.o.All || len(s.others) < s.o.Sample {
		s.others = append(s.others, word)
	} else if i := s.random.IntN(s.met); i < s.o.Sample {
		s.others[i] = word
	}
}

// flush issues the words that are due.
func (s *sweep) flush() error {
	if len(s.words) == 0 {
		return nil
	}
	answers, err := s.v.Executor.Words(s.words)
	if err != nil {
		return err
	}
	for i, answer := range answers {
		if decode.Errno(-answer) != s.wants[i] || answer > 0 {
			s.diverged(s.words[i], s.wants[i], s.rules[i], Answer{Errno: decode.Errno(max(0, -int(answer)))})
		}
	}
	s.counts.Issued += len(s.words)
	s.words, s.wants, s.rules = s.words[:0], s.wants[:0], s.rules[:0]
	return nil
}

func (s *sweep) diverged(word uint32, want decode.Errno, rule *decode.Rule, got Answer) {
	if s.counts.Diverged++; s.counts.Diverged > maxDivergent {
		return
	}
	res := Result{Suite: "exhaustive", Outcome: Diverges, Got: got.text(), Want: "accepted", Source: "decode.Rules"}
	res.Name = "clone-" + string(decode.AppendFlags(nil, uint64(word), decode.StyleShort))
	if rule != nil {
		res.Rule, res.Want = rule.ID, string(decode.AppendErrno(nil, want))
	}
	s.counts.Results = append(s.counts.Results, res)
}

// issueOthers makes the requests that may make a child, each in a process of its own.
func (s *sweep) issueOthers() error {
	for i, word := range s.others {
		r := decode.Request{Entry: decode.EntryClone, Flags: uint64(word), ParentTid: placePidfd}
		p := s.v.predict(&r, &s.v.state, s.v.Traits)
		a, err := s.v.Executor.Issue(&r, 0, "")
		if err != nil {
			return fmt.Errorf("clone %#x: %w", word, err)
		}
		if a.Hung || a.Died || a.Errno != p.Errno() {
			s.diverged(word, p.Errno(), p.Rule, a)
		}
		s.counts.Issued++
		if s.o.Progress != nil && i%1000 == 0 {
			s.o.Progress(i, len(s.others))
		}
	}
	return nil
}
