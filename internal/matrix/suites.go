// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// suitePackages are the packages with tests that need privileges or a certain kernel. A package without tests is
// passed over, so a row may be here before its tests are.
var suitePackages = []string{
	"./tracer",
	"./internal/verify",
	"./cmd/forktrace",
}

// toolPackage is the program that the guests get as /suite/bin/forktrace.
const toolPackage = "./cmd/forktrace"

// guestTool is where the guests have it.
const guestTool = "/suite/bin/forktrace"

// suite is a test binary with its data.
type suite struct {
	name     string // package path below the module, or the binary's name
	binary   string // path on this machine
	testdata string // folder on this machine, or empty
}

func (s suite) dir() string { return path.Join("/suite", s.name) }

func (s suite) program() string { return path.Base(s.name) + ".test" }

func (s suite) files() []guestFile {
	files := []guestFile{{s.binary, path.Join(s.dir(), s.program())}}
	if s.testdata != "" {
		files = append(files, guestFile{s.testdata, path.Join(s.dir(), "testdata")})
	}
	return files
}

// binarySuite takes a test binary that someone else has built, and the testdata folder beside it.
func binarySuite(file string) (suite, error) {
	info, err := os.Stat(file)
	if err != nil {
		return suite{}, fmt.Errorf("reading test binary: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return suite{}, fmt.Errorf("reading test binary: %s is not executable", file)
	}
	s := suite{name: strings.TrimSuffix(filepath.Base(file), ".test"), binary: file}
	s.testdata = existingDir(filepath.Join(filepath.Dir(file), "testdata"))
	return s, nil
}

func existingDir(dir string) string {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// builder compiles for the guests.
type builder struct {
	root   string // of the checkout
	out    string // folder for the binaries
	goarch string
	log    func(format string, args ...any)
}

// suites compiles the test binaries of all packages that have tests.
func (b builder) suites(ctx context.Context) ([]suite, error) {
	var built []suite
	for _, pkg := range suitePackages {
		dir := filepath.Join(b.root, pkg)
		if tests, _ := filepath.Glob(filepath.Join(dir, "*_test.go")); len(tests) == 0 {
			b.log("passing over %s: no tests", pkg)
			continue
		}
		s := suite{name: path.Clean(pkg), testdata: existingDir(filepath.Join(dir, "testdata"))}
		s.binary = filepath.Join(b.out, strings.ReplaceAll(s.name, "/", "-")+".test")
		if err := b.goCommand(ctx, "test", "-c", "-race=false", "-o", s.binary, pkg); err != nil {
			return nil, fmt.Errorf("compiling tests of %s: %w", pkg, err)
		}
		if _, err := os.Stat(s.binary); err != nil {
			b.log("passing over %s: no tests for this platform", pkg)
			continue
		}
		built = append(built, s)
	}
	return built, nil
}

// tool compiles the program itself, if there is one yet.
func (b builder) tool(ctx context.Context) ([]guestFile, error) {
	if sources, _ := filepath.Glob(filepath.Join(b.root, toolPackage, "*.go")); len(sources) == 0 {
		return nil, nil
	}
	binary := filepath.Join(b.out, "forktrace")
	if err := b.goCommand(ctx, "build", "-trimpath", "-buildvcs=false", "-o", binary, toolPackage); err != nil {
		return nil, fmt.Errorf("compiling %s: %w", toolPackage, err)
	}
	files := []guestFile{{binary, guestTool}}
	creations, err := b.creations(ctx)
	if err != nil || creations == "" {
		return files, err
	}
	return append(files, guestFile{creations, guestCreations}), nil
}

// guestCreations is where the guests have the program that creates what the tests expect.
const guestCreations = "/suite/bin/creations"

// creationsCompilers makes static programs for each architecture: Debian's cross compiler for the foreign one.
var creationsCompilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// creations compiles the program of internal/creations, if it is there.
func (b builder) creations(ctx context.Context) (string, error) {
	sources, err := filepath.Glob(filepath.Join(b.root, "internal/creations/*.c"))
	if err != nil || len(sources) == 0 {
		return "", err
	}
	binary := filepath.Join(b.out, "creations")
	args := append([]string{"-O1", "-static", "-o", binary}, sources...)
	if out, err := exec.CommandContext(ctx, creationsCompilers[b.goarch], args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the creations program: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return binary, nil
}

func (b builder) goCommand(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running go %s: %w\n%s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// job is one run of a suite in a guest.
type job struct {
	name   string // sorts in the order of execution
	suite  string
	plan   string
	script string
}

// testJobs lists every suite under every probe plan.
func (o *options) testJobs(suites []suite) []job {
	var jobs []job
	for _, plan := range o.plans {
		for _, s := range suites {
			name := fmt.Sprintf("%03d-%s-%s", len(jobs), plan, strings.ReplaceAll(s.name, "/", "-"))
			command := fmt.Sprintf("exec ./%s -test.v=test2json -test.paniconexit0 -test.timeout=%s", quote(s.program()), o.testLimit())
			if o.test != "" {
				command += " -test.run=" + quote(o.test)
			}
			if o.quick {
				command = "export FORKTRACE_QUICK=1\n" + command
			}
			jobs = append(jobs, job{name, s.name, plan, script(s.dir(), plan, command)})
		}
	}
	return jobs
}

// shellJob runs one command beside the suites' files.
func shellJob(command, plan string) job {
	return job{name: "shell", suite: "shell", plan: plan, script: script("/suite", plan, command)}
}

func script(dir, plan, command string) string {
	return strings.Join([]string{
		"cd " + quote(dir) + " || exit 125",
		"export FORKTRACE_MATRIX=1 FORKTRACE_RESULTS=/results FORKTRACE_BIN=" + guestTool,
		"export FORKTRACE_PLAN=" + quote(plan),
		command,
		"",
	}, "\n")
}

// quote makes one word of the shell out of any string.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
