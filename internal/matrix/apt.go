// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// keyring holds the keys that packages must be signed with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// errNotCarried says that a suite was read and has no package that fits.
var errNotCarried = errors.New("no such package in the archive")

// candidate is a package that an archive offers.
type candidate struct {
	name, version string
}

// aptState is a private apt state for one suite and architecture. The machine's own lists, pins and hooks play no part
// in it; the machine's way to reach the network (proxy settings) does.
type aptState struct {
	dir   string
	suite string
	arch  string
}

// aptConfig is read after the machine's own configuration. The cleared hooks would act on the machine's own lists; the
// cleared index targets are megabytes that nobody reads here. Old suites outlive the validity of their last index, but
// their signatures are checked all the same.
const aptConfig = `#clear APT::Update;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi;
Dir::State "%[1]s";
Dir::State::Lists "%[1]s/lists";
Dir::State::Status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "%[2]s";
APT::Architectures { "%[2]s"; };
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "";
Acquire::AllowInsecureRepositories "false";
Acquire::Check-Valid-Until "false";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Acquire::Retries "3";
`

// newAptState prepares the state's folder below dir and waits until no other runner uses it. The release function lets
// the next one in.
func newAptState(dir, suite, arch string) (state *aptState, release func(), err error) {
	s := &aptState{dir: filepath.Join(dir, arch+"-"+suite), suite: suite, arch: arch}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			return nil, nil, fmt.Errorf("creating apt state: %w", err)
		}
	}
	lock, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("opening lock of apt state: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("locking apt state: %w", err)
	}
	for name, content := range map[string]string{
		"apt.conf": fmt.Sprintf(aptConfig, s.dir, arch),
		"status":   "",
	} {
		if err := os.WriteFile(s.path(name), []byte(content), 0o644); err != nil {
			lock.Close()
			return nil, nil, fmt.Errorf("writing apt state: %w", err)
		}
	}
	return s, func() { lock.Close() }, nil
}

func (s *aptState) path(name string) string { return filepath.Join(s.dir, name) }

// update reads the suite's index from the first mirror that serves it.
func (s *aptState) update(ctx context.Context, mirrors []string) error {
	var failures []error
	for _, mirror := range mirrors {
		// The address may carry a password, hence the mode.
		line := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, s.suite)
		if err := os.WriteFile(s.path("sources.list"), []byte(line), 0o600); err != nil {
			return fmt.Errorf("writing source list: %w", err)
		}
		_, err := s.run(ctx, s.dir, "apt-get", "update", "--error-on=any")
		if err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return fmt.Errorf("updating %s: %w", s.suite, errors.Join(failures...))
}

// newest finds the highest version among the packages that accept takes. The pattern narrows the search beforehand.
func (s *aptState) newest(ctx context.Context, pattern string, accept func(name, version string) bool) (candidate, error) {
	out, err := s.run(ctx, s.dir, "apt-cache", "search", "--names-only", pattern)
	if err != nil {
		return candidate{}, fmt.Errorf("searching %s: %w", s.suite, err)
	}
	var names []string
	for line := range strings.Lines(out) {
		if name, _, found := strings.Cut(line, " - "); found {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return candidate{}, errNotCarried
	}
	out, err = s.run(ctx, s.dir, "apt-cache", append([]string{"show"}, names...)...)
	if err != nil {
		return candidate{}, fmt.Errorf("reading packages of %s: %w", s.suite, err)
	}
	stanzas, err := parseStanzas(strings.NewReader(out))
	if err != nil {
		return candidate{}, fmt.Errorf("reading packages of %s: %w", s.suite, err)
	}
	var best candidate
	for _, stanza := range stanzas {
		c := candidate{stanza["package"], stanza["version"]}
		if accept(c.name, c.version) && (best.name == "" || c.newerThan(best)) {
			best = c
		}
	}
	if best.name == "" {
		return candidate{}, errNotCarried
	}
	return best, nil
}

// newerThan prefers the higher version, and of the same version the shorter name: signed before unsigned.
func (c candidate) newerThan(other candidate) bool {
	if order := compareVersions(c.version, other.version); order != 0 {
		return order > 0
	}
	return len(c.name) < len(other.name)
}

// download fetches a package into dir and returns the file's path. apt checks its hash against the signed index.
func (s *aptState) download(ctx context.Context, c candidate, dir string) (string, error) {
	if _, err := s.run(ctx, dir, "apt-get", "download", c.name+"="+c.version); err != nil {
		return "", fmt.Errorf("downloading %s %s: %w", c.name, c.version, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.deb")) // the pattern is well-formed
	if len(files) != 1 {
		return "", fmt.Errorf("downloading %s %s: %d files instead of 1", c.name, c.version, len(files))
	}
	return files[0], nil
}

// run executes one of apt's programs in dir with this state and returns its standard output.
func (s *aptState) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-c", s.path("apt.conf"), "-q"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s %s: %w%s", program, args[0], err, aptReason(stderr.String()))
	}
	return string(out), nil
}

// aptReason picks the message that names the cause: the warning about a key that is missing from the keyring, of which
// the error only says that the archive is not signed; else the first error; else the first warning.
func aptReason(stderr string) string {
	for _, start := range []string{"W: GPG error", "E: ", "W: "} {
		for line := range strings.Lines(stderr) {
			if strings.HasPrefix(line, start) {
				return ": " + strings.TrimSpace(line[len("E: "):])
			}
		}
	}
	return ""
}
