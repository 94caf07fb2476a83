// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// readCpio is a reader as strict as the kernel's: one "mode name content" per entry.
func readCpio(t *testing.T, data []byte) []string {
	t.Helper()
	var entries []string
	offset := 0
	take := func(n int) []byte {
		if offset+n > len(data) {
			t.Fatalf("archive ends before offset %d", offset+n)
		}
		part := data[offset : offset+n]
		offset += n
		return part
	}
	align := func() {
		for offset%4 != 0 {
			if take(1)[0] != 0 {
				t.Fatalf("padding at offset %d is not zero", offset-1)
			}
		}
	}
	for {
		if magic := take(6); string(magic) != "070701" {
			t.Fatalf("bad magic %q at offset %d", magic, offset-6)
		}
		var fields [13]uint64
		for i := range fields {
			n, err := strconv.ParseUint(string(take(8)), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			fields[i] = n
		}
		name := string(take(int(fields[11])))
		align()
		if name == "TRAILER!!!\x00" {
			return entries
		}
		content := string(take(int(fields[6])))
		align()
		if fields[9] != 0 {
			content = fmt.Sprintf("%d:%d", fields[9], fields[10])
		}
		entries = append(entries, fmt.Sprintf("%o %s %s", fields[1], strings.TrimSuffix(name, "\x00"), content))
	}
}

func TestCpioWriter(t *testing.T) {
	var b bytes.Buffer
	w := newCpioWriter(&b)
	w.Root(0o755)
	w.Dir("tmp", 0o1777)
	w.Dir("/tmp/", 0o700) // there already
	w.Text("/a/b/file", 0o644, "hello")
	w.Text("a/empty", 0o600, "")
	w.Symlink("a/link", "b/file")
	w.CharDevice("dev/console", 0o600, 5, 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"40755 . ", "41777 tmp ", "40755 a ", "40755 a/b ", "100644 a/b/file hello", "100600 a/empty ", "120777 a/link b/file",
		"40755 dev ", "20600 dev/console 5:1",
	}
	if got := readCpio(t, b.Bytes()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("entries:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCpioShortContent(t *testing.T) {
	w := newCpioWriter(&bytes.Buffer{})
	w.File("file", 0o644, 10, strings.NewReader("short"))
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "5 bytes instead of 10") {
		t.Errorf("Close: %v", err)
	}
}

func TestWriteInitramfs(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"busybox": "box", "a.test": "elf", "testdata/golden/x": "gold"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := binarySuite(filepath.Join(dir, "a.test"))
	if err != nil {
		t.Fatal(err)
	}
	jobs := (&options{plans: []string{"auto"}}).testJobs([]suite{s})
	to := filepath.Join(dir, "initramfs")
	if err := writeInitramfs(to, machines["amd64"], filepath.Join(dir, "busybox"), []suite{s}, jobs, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(readCpio(t, data), "\n")
	for _, want := range []string{
		"100755 bin/busybox box", "100755 suite/a/a.test elf", "100755 suite/a/testdata/golden/x gold",
		"100755 init #!/bin/busybox sh", "OUTPUT=/dev/ttyS1", "suite/jobs/000-auto-a cd '/suite/a'",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in the initramfs", want)
		}
	}
}
