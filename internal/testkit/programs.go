// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is something that is run, and is built at most once.
type program struct {
	env   string // names a file that is there already
	name  string // of the file, and in PATH of a guest
	build func(root, file string) *exec.Cmd
	once  sync.Once
	file  string
	err   error
}

var forktrace = program{
	env: "FORKTRACE_BIN", name: "forktrace",
	build: func(root, file string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", file, "./cmd/forktrace")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	},
}

var creations = program{
	env: "FORKTRACE_CREATIONS", name: "creations",
	build: func(root, file string) *exec.Cmd {
		sources, _ := filepath.Glob(filepath.Join(root, "internal/creations/*.c"))
		return exec.Command("cc", append([]string{"-O1", "-static", "-o", file}, sources...)...)
	},
}

// Forktrace is the path of the forktrace that is tested.
func Forktrace(t testing.TB) string {
	t.Helper()
	return forktrace.path(t)
}

// Creations is the path of the program that creates and tells what must be seen.
func Creations(t testing.TB) string {
	t.Helper()
	return creations.path(t)
}

// Named is the creations program under another name, which its tasks have too: up to 15
// bytes.
func Named(t testing.TB, name string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(Creations(t), link); err != nil {
		t.Fatal(err)
	}
	return link
}

func (p *program) path(t testing.TB) string {
	t.Helper()
	p.once.Do(func() { p.file, p.err = p.provide() })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.file
}

// provide copies or builds the program to where every user may run it.
func (p *program) provide() (string, error) {
	file := filepath.Join(scratch, p.name)
	given := os.Getenv(p.env)
	if given == "" && InGuest() {
		found, err := exec.LookPath(p.name)
		if err != nil {
			return "", fmt.Errorf("the guest lacks a program: %w", err)
		}
		given = found
	}
	if given != "" {
		content, err := os.ReadFile(given)
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", p.env, err)
		}
		return file, os.WriteFile(file, content, 0o755)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if out, err := p.build(root, file).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", p.name, err, out)
	}
	return file, os.Chmod(file, 0o755)
}

// moduleRoot is the closest directory above the tests with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("looking for the module: no go.mod above the tests")
}
