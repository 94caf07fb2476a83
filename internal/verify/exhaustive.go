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

// Exhaustive says which combinations of flags to issue.
type Exhaustive struct {
	All    bool   // also those that are accepted, or refused late
	Sample int    // how many of those, drawn at random, besides one of each class, if not all
	Seed   uint64 // of the sample
	Stride uint32 // take every so many-th combination; 0 is 1
	// Classes is how many classes to issue one word of, spread over all; 0 is all of them.
	Classes int
	// Progress, if set, is told now and then how many combinations are done, of how many.
	Progress func(done, of int)
}

// Counts is what an exhaustive run comes to. A class is that of [decode.ClassOf], among the
// words that are accepted or refused late.
type Counts struct {
	Early    int      `json:"refused_early"` // predicted: refused before anything is copied
	Late     int      `json:"refused_late"`
	Accepted int      `json:"accepted"`
	Open     int      `json:"open"`
	Classes  int      `json:"classes"`
	High     High     `json:"high"`
	Issued   int      `json:"issued"`
	Diverged int      `json:"diverged"`
	Seconds  float64  `json:"seconds"`
	Results  []Result `json:"results,omitempty"` // the first divergences
}

// High is what is predicted of clone3's flags above bit 31, each combination of them with a
// word of each class of lower flags that clone3 takes.
type High struct {
	Classes  int `json:"low_classes"` // of words without high flags
	Early    int `json:"refused_early"`
	Late     int `json:"refused_late"`
	Accepted int `json:"accepted"`
	Open     int `json:"open"`
}

// sweep is a run over the combinations.
type sweep struct {
	v       *Verifier
	o       Exhaustive
	counts  Counts
	early   map[*decode.Rule]bool
	words   []uint32
	wants   []*decode.Rule
	classes map[decode.Class]bool
	others  []uint32 // accepted or refused late: one of each class, or all
	sampled []uint32
	random  *rand.Rand
	met     int // of others, sampled or not
	batch   []decode.Request
}

// Exhaustive issues the combinations of the flags of clone(2), and of clone3's high flags.
func (v *Verifier) Exhaustive(o Exhaustive) (*Counts, error) {
	s := &sweep{v: v, o: o, early: map[*decode.Rule]bool{}, random: rand.New(rand.NewPCG(o.Seed, o.Seed)), classes: map[decode.Class]bool{}}
	s.words, s.wants = make([]uint32, 0, maxWords), make([]*decode.Rule, 0, maxWords)
	began := time.Now()
	stride := max(o.Stride, 1)
	for n := uint32(0); n < legacyWords; n += stride {
		if err := s.take(n << 8); err != nil {
			return nil, err
		}
		if n%(16*maxWords) < stride {
			s.progress(int(n), legacyWords)
		}
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	s.counts.Classes = len(s.classes)
	if err := s.issueOthers(); err != nil {
		return nil, err
	}
	if v.noClone3 == "" {
		if err := s.high(); err != nil {
			return nil, err
		}
	}
	s.counts.Seconds = time.Since(began).Seconds()
	return &s.counts, nil
}

func (s *sweep) progress(done, of int) {
	if s.o.Progress != nil {
		s.o.Progress(done, of)
	}
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
		s.words, s.wants = append(s.words, word), append(s.wants, p.Rule)
		if len(s.words) == maxWords {
			return s.flush()
		}
		return nil
	case p.Outcome == decode.OutcomeRefused:
		s.counts.Late++
	default:
		s.counts.Accepted++
	}
	s.choose(word, &r)
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

// choose keeps one word of each class, and a uniform choice of all words, that are not
// refused early.
func (s *sweep) choose(word uint32, r *decode.Request) {
	s.met++
	class := decode.ClassOf(r, s.v.Traits)
	if s.o.All || !s.classes[class] {
		s.others = append(s.others, word)
	} else if len(s.sampled) < s.o.Sample {
		s.sampled = append(s.sampled, word)
	} else if i := s.random.IntN(s.met); i < s.o.Sample {
		s.sampled[i] = word
	}
	s.classes[class] = true
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
		s.compare("clone", uint64(s.words[i]), s.wants[i], answer)
	}
	s.counts.Issued += len(s.words)
	s.words, s.wants = s.words[:0], s.wants[:0]
	return nil
}

// compare judges the answer to a request that is refused early.
func (s *sweep) compare(call string, flags uint64, want *decode.Rule, answer int16) {
	if decode.Errno(-answer) != want.Errno || answer > 0 {
		s.diverged(call, flags, want, Answer{Errno: decode.Errno(max(0, -int(answer)))})
	}
}

func (s *sweep) diverged(call string, flags uint64, rule *decode.Rule, got Answer) {
	if s.counts.Diverged++; s.counts.Diverged > maxDivergent {
		return
	}
	res := Result{Suite: "exhaustive", Outcome: Diverges, Got: got.text(), Want: "accepted", Source: "decode.Rules"}
	res.Name = call + "-" + string(decode.AppendFlags(nil, flags, decode.StyleShort))
	if rule != nil {
		res.Rule, res.Want = rule.ID, string(decode.AppendErrno(nil, rule.Errno))
	}
	s.counts.Results = append(s.counts.Results, res)
}

// thin takes n words of a list, evenly spread; all if n is 0.
func thin[T any](list []T, n int) []T {
	if n == 0 || n >= len(list) {
		return list
	}
	thinned := make([]T, 0, n)
	for i := range n {
		thinned = append(thinned, list[i*len(list)/n])
	}
	return thinned
}

// issueOthers makes the requests that may make a child, each in a process of its own.
func (s *sweep) issueOthers() error {
	others := append(thin(s.others, s.o.Classes), s.sampled...)
	for i, word := range others {
		r := decode.Request{Entry: decode.EntryClone, Flags: uint64(word), ParentTid: placePidfd}
		if err := s.issueOne("clone", &r); err != nil {
			return err
		}
		if i%1000 == 0 {
			s.progress(i, len(others))
		}
	}
	return nil
}

func (s *sweep) issueOne(call string, r *decode.Request) error {
	p := s.v.predict(r, &s.v.state, s.v.Traits)
	a, err := s.v.Executor.Issue(r, 0, "")
	if err != nil {
		return fmt.Errorf("%s %#x: %w", call, r.Flags, err)
	}
	if a.Hung || a.Died || a.Errno != p.Errno() {
		s.diverged(call, r.Flags, p.Rule, a)
	}
	s.counts.Issued++
	return nil
}
