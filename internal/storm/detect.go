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
	Within   float64 // seconds until a limit is reached
}

// DefaultThresholds leave a busy build machine alone.
var DefaultThresholds = Thresholds{Rate: 1500, Factor: 4, Refusals: 5, Within: 60}

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

// Baseline is the learned rate, creations a second.
func (d *Detector) Baseline() float64 { return d.baseline }

// Add takes an interval and says in words why it is a storm; "" if it is none. nearest is
// the seconds until the first limit is reached; 0: none is.
func (d *Detector) Add(rate, refusals, nearest float64) string {
	reason := d.judge(rate, refusals, nearest)
	if reason == "" {
		weight := max(memory, 1/float64(d.learned+1))
		d.baseline += weight * (rate - d.baseline)
		d.learned++
	}
	return reason
}

func (d *Detector) judge(rate, refusals, nearest float64) string {
	d.sum = max(0, d.sum+rate-max(slack*d.baseline, d.Rate/2))
	switch {
	case refusals >= d.Refusals:
		return fmt.Sprintf("%.0f creations a second are refused (EAGAIN, ENOMEM); the threshold is %.0f", refusals, d.Refusals)
	case nearest > 0 && nearest <= d.Within:
		return fmt.Sprintf("a limit is reached in %.0f s at this growth; the threshold is %.0f s", nearest, d.Within)
	case rate >= d.Rate && rate >= d.Factor*d.baseline && d.learned > 0:
		return fmt.Sprintf("%.0f creations a second against a usual %.0f; the thresholds are %.0f and %.0f times the usual", rate, d.baseline, d.Rate, d.Factor)
	case d.sum > patient*max(d.Rate, 1):
		return fmt.Sprintf("creations have grown slowly to %.0f a second against a usual %.0f", rate, d.baseline)
	}
	return ""
}
