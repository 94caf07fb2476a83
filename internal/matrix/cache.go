// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// cache keeps what was taken out of packages, one folder per package and version:
//
//	<dir>/files/<architecture>/<package>_<version>/<file>
//
// A folder appears by rename, so whoever sees it sees it whole, and runners may share the cache.
type cache struct {
	dir     string
	sources []aptSource
	log     func(format string, args ...any)
	updated map[string]error // outcome of this run's apt-get update, by architecture and suite
}

// wanted describes one file of one package.
type wanted struct {
	arch    string
	suites  []string
	pattern *regexp.Regexp // of the package's name
	accept  func(name, version string) bool
	file    string         // name in the cache
	inside  *regexp.Regexp // path inside the package
}

// fetched is a wanted file on disk.
type fetched struct {
	candidate
	path string
}

// vmlinuzPath is where kernel packages have the image: the second form since Debian 14.
var vmlinuzPath = regexp.MustCompile(`^\./(boot/vmlinuz-[^/]+|(usr/)?lib/modules/[^/]+/vmlinuz)$`)

// busyboxPath covers both sides of Debian's move of /bin into /usr.
var busyboxPath = regexp.MustCompile(`^\./(usr/)?bin/busybox$`)

func kernelFile(r row) wanted {
	return wanted{arch: r.arch, suites: r.suites, pattern: r.pattern, accept: r.matches, file: "vmlinuz", inside: vmlinuzPath}
}

func busyboxFile(arch string) wanted {
	return wanted{
		arch:    arch,
		suites:  []string{"trixie", "bookworm", "forky"},
		pattern: regexp.MustCompile(`^busybox-static$`),
		accept:  func(name, _ string) bool { return name == "busybox-static" },
		file:    "busybox",
		inside:  busyboxPath,
	}
}

// cacheDir is the default place of the cache.
func cacheDir() (string, error) {
	if dir := os.Getenv("FORKTRACE_CACHE"); dir != "" {
		return dir, nil
	}
	base, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
	if err != nil {
		return "", fmt.Errorf("locating the cache: %w", err)
	}
	return filepath.Join(base, "forktrace"), nil
}

// get returns the newest cached file or fetches one. With refresh it asks the archive first and falls back on the cache,
// because packages vanish from archives.
func (c *cache) get(ctx context.Context, w wanted, refresh bool) (fetched, error) {
	cached, found := c.lookup(w)
	if found && !refresh {
		return cached, nil
	}
	f, err := c.fetch(ctx, w)
	if err != nil && found && ctx.Err() == nil {
		c.log("keeping cached %s %s: %v", cached.name, cached.version, err)
		return cached, nil
	}
	return f, err
}

// lookup finds the newest version in the cache.
func (c *cache) lookup(w wanted) (fetched, bool) {
	folder := filepath.Join(c.dir, "files", w.arch)
	entries, _ := os.ReadDir(folder) // no folder, nothing cached
	var best fetched
	for _, entry := range entries {
		name, version, _ := strings.Cut(entry.Name(), "_")
		version = strings.ReplaceAll(version, "%3a", ":")
		if !w.accept(name, version) {
			continue
		}
		f := fetched{candidate{name, version}, filepath.Join(folder, entry.Name(), w.file)}
		if _, err := os.Stat(f.path); err == nil && (best.name == "" || f.newerThan(best.candidate)) {
			best = f
		}
	}
	return best, best.name != ""
}

// fetch takes the newest version from the first suite that carries the package.
func (c *cache) fetch(ctx context.Context, w wanted) (fetched, error) {
	var failures []error
	for _, suite := range w.suites {
		f, err := c.fetchFrom(ctx, w, suite)
		if err == nil {
			return f, nil
		}
		if ctx.Err() != nil {
			return fetched{}, ctx.Err()
		}
		if !errors.Is(err, errNotCarried) {
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 {
		return fetched{}, fmt.Errorf("searching %s: %w", strings.Join(w.suites, ", "), errNotCarried)
	}
	return fetched{}, errors.Join(failures...)
}

func (c *cache) fetchFrom(ctx context.Context, w wanted, suite string) (fetched, error) {
	state, release, err := newAptState(filepath.Join(c.dir, "apt"), suite, w.arch)
	if err != nil {
		return fetched{}, err
	}
	defer release()
	key := w.arch + "-" + suite
	if _, done := c.updated[key]; !done {
		c.log("reading the index of %s for %s", suite, w.arch)
		c.updated[key] = state.update(ctx, mirrorsFor(suite, c.sources))
	}
	if err := c.updated[key]; err != nil {
		return fetched{}, err
	}
	best, err := state.newest(ctx, w.pattern.String(), w.accept)
	if err != nil {
		return fetched{}, err
	}
	home := filepath.Join(c.dir, "files", w.arch, best.name+"_"+strings.ReplaceAll(best.version, ":", "%3a"))
	f := fetched{best, filepath.Join(home, w.file)}
	if _, err := os.Stat(f.path); err == nil {
		return f, nil
	}
	c.log("fetching %s %s from %s", best.name, best.version, suite)
	return f, c.store(ctx, state, best, w, home)
}

// store downloads a package, takes the file out of it and moves it into place.
func (c *cache) store(ctx context.Context, state *aptState, best candidate, w wanted, home string) error {
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return fmt.Errorf("creating cache: %w", err)
	}
	temp, err := os.MkdirTemp(c.dir, "fetch-")
	if err != nil {
		return fmt.Errorf("creating cache: %w", err)
	}
	defer os.RemoveAll(temp)
	deb, err := state.download(ctx, best, temp)
	if err != nil {
		return err
	}
	stage := filepath.Join(temp, "stage")
	if err := os.Mkdir(stage, 0o755); err != nil {
		return fmt.Errorf("creating cache: %w", err)
	}
	if err := extract(ctx, deb, w.inside, filepath.Join(stage, w.file)); err != nil {
		return fmt.Errorf("unpacking %s: %w", best.name, err)
	}
	if err := os.Rename(stage, home); err != nil {
		if _, there := os.Stat(filepath.Join(home, w.file)); there == nil {
			return nil // another runner was faster
		}
		return fmt.Errorf("storing %s: %w", best.name, err)
	}
	return nil
}

// extract writes the first file of a package whose path matches.
func extract(ctx context.Context, deb string, inside *regexp.Regexp, to string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends dpkg-deb when the file comes early
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("connecting dpkg-deb: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting dpkg-deb: %w", err)
	}
	err = copyFromTar(out, inside, to)
	cancel()
	_ = cmd.Wait() // killed on purpose; a truncated archive has shown up in the tar reader
	return err
}

func copyFromTar(from io.Reader, inside *regexp.Regexp, to string) error {
	for files := tar.NewReader(from); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("searching package: no file matches %s", inside)
		}
		if err != nil {
			return fmt.Errorf("reading package: %w", err)
		}
		if header.Typeflag != tar.TypeReg || !inside.MatchString(header.Name) {
			continue
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
		if err != nil {
			return fmt.Errorf("creating file: %w", err)
		}
		defer f.Close()
		if _, err := io.Copy(f, files); err != nil {
			return fmt.Errorf("copying %s: %w", header.Name, err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("writing file: %w", err)
		}
		return nil
	}
}
