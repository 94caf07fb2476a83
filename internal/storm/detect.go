// SPDX-License-Identifier: Apache-2.0

// Package storm decides whether what is created is a storm, and explains one: where it
// comes from, which shape it has, what gives out. It is pure: it gets samples and limits.
package storm

import "fmt"

// Thresholds say what a storm is.
type Thresholds struct {
	Rate     float64 // creations a second below which there is none
	Factor   float64 // times the learned rate
	Refusals float64 // failures a second with EAGAIN or ENOMEM
	Restarts float64 // attempts a second that a signal came before, and that are made again
	Within   float64 // seconds until a limit is reached
}

// DefaultThresholds leave a busy build machine alone.
var DefaultThresholds = Thresholds{Rate: 1500, Factor: 4, Refusals: 5, Restarts: 100, Within: 60}

// Detector learns the usual rate, and tells when it is exceeded.
type Detector struct {
	Thresholds
	baseline float64 // exponentially weighted mean of quiet intervals
	sum      float64 // CUSUM of what is above it
	learned  int
}

// Weights of the detector.
const (
	memory  = 0.05 // of the newest interval in the baseline
	slack   = 1.5  // times the baseline that a slow growth may have
	patient = 10   // floors that a slow growth may add up to
)

// Usual is the learned rate, creations a second; nil before any was.
func (d *Detector) Usual() *float64 {
	if d.learned == 0 {
		return nil
	}
	usual := d.baseline
	return &usual
}

// Interval is what the detector looks at.
type Interval struct {
	Rate     float64 // creations a second
	Refusals float64 // failures a second with EAGAIN or ENOMEM
	Restarts float64 // restarted attempts a second
	Nearest  float64 // seconds until the first limit is reached; 0: none is
}

// Add takes an interval and says in words why it is a storm; "" if it is none.
func (d *Detector) Add(i Interval) string {
	reason := d.judge(i)
	if reason == "" {
		weight := max(memory, 1/float64(d.learned+1))
		d.baseline += weight * (i.Rate - d.baseline)
		d.learned++
	}
	return reason
}

func (d *Detector) judge(i Interval) string {
	allowed, most := max(slack*d.baseline, d.Rate/2), patient*max(d.Rate, 1)
	// no further than a little past the threshold: what has ended must not be told for long
	d.sum = min(max(0, d.sum+i.Rate-allowed), most+max(d.Rate, 1))
	reason := d.Exceeded(i)
	if reason == "" {
		reason = d.aboveUsual(i)
	}
	if reason != "" {
		d.sum = 0 // that is no slow growth
		return reason
	}
	if d.sum > most && i.Rate > allowed {
		return fmt.Sprintf("creations have grown slowly to %.0f a second against a usual %.0f: more than %.0f too many have added up, which is the threshold", i.Rate, d.baseline, most)
	}
	return ""
}

// aboveUsual says how far a rate is above what was learned; "" if it is not far.
func (d *Detector) aboveUsual(i Interval) string {
	switch {
	case d.learned > 0 && i.Rate >= d.Rate && i.Rate >= d.Factor*d.baseline:
		return fmt.Sprintf("%.0f creations a second against a usual %.0f; the thresholds are %.0f and %.0f times the usual", i.Rate, d.baseline, d.Rate, d.Factor)
	case d.learned == 0 && i.Rate >= d.Rate*d.Factor: // it was there before us
		return fmt.Sprintf("%.0f creations a second, and nothing usual is known yet; the threshold is then %.0f", i.Rate, d.Rate*d.Factor)
	}
	return ""
}

// Exceeded says which threshold that needs nothing learned is exceeded; "" if none is.
func (t *Thresholds) Exceeded(i Interval) string {
	switch {
	case i.Refusals >= t.Refusals:
		return fmt.Sprintf("%.0f creations a second are refused (EAGAIN, ENOMEM); the threshold is %.0f", i.Refusals, t.Refusals)
	case i.Restarts >= t.Restarts:
		return fmt.Sprintf("%.0f creations a second are given up for a signal and made again; the threshold is %.0f", i.Restarts, t.Restarts)
	case i.Nearest > 0 && i.Nearest <= t.Within:
		return fmt.Sprintf("a limit is reached in %.0f s at this growth; the threshold is %.0f s", i.Nearest, t.Within)
	}
	return ""
}

// ExceededNow is the same for who has learned nothing and will not: the rate alone counts.
func (t *Thresholds) ExceededNow(i Interval) string {
	if reason := t.Exceeded(i); reason != "" || i.Rate < t.Rate {
		return reason
	}
	return fmt.Sprintf("%.0f creations a second; the threshold is %.0f", i.Rate, t.Rate)
}
