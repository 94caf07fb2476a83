// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/forktrace/forktrace/decode"
)

// StageTimes are histograms of the time that creations spend in each stage.
type StageTimes struct {
	stages [decode.StageMax]*hdrhistogram.Histogram
	sums   [decode.StageMax]uint64 // ns

	// What the hooks took of the machine, by the kernel's own measure, while it created so
	// many tasks; runs 0 is unknown.
	HookRuns  uint64
	HookTime  time.Duration
	Creations uint64
}

// longestStage is the largest time that is told apart; longer ones count as this.
const longestStage = int64(10 * time.Second)

// NewStageTimes returns empty histograms.
func NewStageTimes() *StageTimes { return &StageTimes{} }

// Add takes the stages of one creation in, if they were followed.
func (s *StageTimes) Add(r *decode.Record) {
	if r.Have&decode.HaveStages == 0 || r.Failed() {
		return
	}
	eachStage(r, func(stage decode.Stage, ns uint64) {
		h := s.stages[stage]
		if h == nil {
			h = hdrhistogram.New(1, longestStage, 2)
			s.stages[stage] = h
		}
		_ = h.RecordValue(max(min(int64(ns), longestStage), 1)) // within its range
		s.sums[stage] += ns
	})
}

// quantiles are what is told of each stage, in per cent.
var quantiles = []float64{50, 90, 99}

// WriteText writes a table of the stages in which successes spent time.
func (s *StageTimes) WriteText(w io.Writer) error {
	var total uint64
	for _, sum := range s.sums {
		total += sum
	}
	if total == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "STAGE\tCOUNT\tP50 us\tP90 us\tP99 us\tMAX us\tSHARE\t  WHAT IS DONE")
	for i, h := range s.stages {
		if h == nil {
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t", decode.Stage(i), h.TotalCount())
		for _, q := range quantiles {
			fmt.Fprintf(tw, "%.1f\t", float64(h.ValueAtQuantile(q))/1e3)
		}
		fmt.Fprintf(tw, "%.1f\t%.1f%%\t  %s\n", float64(h.Max())/1e3, 100*float64(s.sums[i])/float64(total), decode.StageTable[i].Does)
	}
	if err := tw.Flush(); err != nil || s.HookRuns == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "the hooks of the stages cost the machine %.1f us for each creation: %d runs of %.0f ns, some of them for other callers\n",
		float64(s.HookTime.Nanoseconds())/1e3/float64(max(s.Creations, 1)), s.HookRuns, float64(s.HookTime.Nanoseconds())/float64(s.HookRuns))
	return err
}

// append adds the table to the summary of a JSON stream.
func (s *StageTimes) append(o *object) {
	o.key("stages")
	o.buf = append(o.buf, '[')
	o.some = false
	for i, h := range s.stages {
		if h == nil {
			continue
		}
		o.element()
		inner := object{buf: o.buf}
		inner.open()
		inner.text("stage", decode.Stage(i).String())
		inner.uint("count", uint64(h.TotalCount()))
		for _, q := range quantiles {
			inner.int(fmt.Sprintf("p%.0f_ns", q), h.ValueAtQuantile(q))
		}
		inner.int("max_ns", h.Max())
		inner.uint("sum_ns", s.sums[i])
		inner.close()
		o.buf = inner.buf
	}
	o.buf = append(o.buf, ']')
	o.some = true
}
