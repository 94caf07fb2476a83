// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
	"testing"
)

func sampleReports() []kernelReport {
	return []kernelReport{
		{Kernel: "5.10", Arch: "amd64", Gap: "searching bullseye: no such package\nsecond reason"},
		{
			Kernel: "6.12", Arch: "amd64", Release: "6.12.117", Boots: 2, BootSeconds: 3.14, Logs: "/logs",
			Suites: []suiteReport{
				{
					Suite: "tracer", Plan: "auto", Log: "000.log", Status: "1", Seconds: 2, started: true,
					Tests: []testResult{
						{Name: "TestA", Outcome: passed}, {Name: "TestB", Outcome: failed},
						{Name: "TestC", Outcome: skipped, Needs: "fentry"}, {Name: "TestD", Outcome: unfinished},
					},
					Traits: map[string]string{"btf": "yes"}, Stats: map[string]string{"verified.sys_exit": "90", "verified.census_exec": "156"},
				},
				{Suite: "cmd/forktrace", Plan: "auto", Log: "001.log", Status: "2", started: true, Stats: map[string]string{"verified.sys_exit": "100"}},
			},
		},
		{
			Kernel: "7.3", Arch: "amd64", Boots: 1, Death: kernelPanic, Complained: true, Console: []string{"Kernel panic"}, Logs: "/logs",
			Suites: []suiteReport{{Suite: "tracer", Plan: "auto"}},
		},
	}
}

const wantReport = `KERNEL  ARCH   RELEASE   PLAN  SUITE          PASS  FAIL  SKIP  BOOT  RUN      NOTE
5.10    amd64  -         -     -              -     -     -     -     -        gap: searching bullseye: no such package
6.12    amd64  6.12.117  auto  tracer         1     2     1     3.1s  2.0s     second boot
6.12    amd64  6.12.117  auto  cmd/forktrace  0     1     0     3.1s  0.0s     second boot
7.3     amd64  -         auto  tracer         0     0     0     0.0s  not run  kernel panic

6.12 amd64, plan auto, suite tracer:
  trait btf=yes
  stat verified.census_exec=156
  stat verified.sys_exit=90
  lacks fentry (1 skipped)

6.12 amd64, plan auto, suite cmd/forktrace:
  stat verified.sys_exit=100

VERIFIED     amd64/6.12
census_exec  156
sys_exit     100

FAILED on 6.12 amd64 (logs in /logs):
  plan auto, suite tracer: TestB
  plan auto, suite tracer: TestD (did not finish)
    log: /logs/000.log
  plan auto, suite cmd/forktrace: (exit status 2)
    log: /logs/001.log

FAILED on 7.3 amd64 (logs in /logs):
  guest: kernel panic
    | Kernel panic

1 passed, 4 failed, 1 skipped
`

func TestPrintReports(t *testing.T) {
	var b strings.Builder
	if printReports(&b, sampleReports(), reportOptions{verbose: true}) {
		t.Error("failures count as success")
	}
	if b.String() != wantReport {
		t.Errorf("report:\n%s\nwant:\n%s", b.String(), wantReport)
	}
}

func TestVerdict(t *testing.T) {
	good := kernelReport{Suites: []suiteReport{{Status: "0", started: true, Tests: []testResult{{Outcome: passed}}}}}
	gap := kernelReport{Gap: "gone"}
	for _, tt := range []struct {
		name    string
		reports []kernelReport
		noGaps  bool
		want    bool
	}{
		{"good", []kernelReport{good}, true, true},
		{"gap", []kernelReport{good, gap}, false, true},
		{"gap not allowed", []kernelReport{good, gap}, true, false},
		{"nothing but gaps", []kernelReport{gap}, false, false},
		{"complaint", []kernelReport{good, {Complained: true}}, false, false},
	} {
		if got := printReports(io.Discard, tt.reports, reportOptions{noGaps: tt.noGaps}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
