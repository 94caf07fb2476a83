// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo terminal of a given width.
func openTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs: pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}); err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile("/dev/pts/"+itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal
}

// TestColor: colour only on a terminal, unless one insists; NO_COLOR is honoured
// (https://no-color.org: any value but an empty one).
func TestColor(t *testing.T) {
	terminal := openTerminal(t, 100)
	read, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer pipe.Close()
	for _, c := range []struct {
		when, noColor, term string
		out                 *os.File
		want                bool
	}{
		{"auto", "", "xterm", terminal, true},
		{"auto", "", "xterm", pipe, false},
		{"auto", "1", "xterm", terminal, false},
		{"auto", "", "dumb", terminal, false},
		{"never", "", "xterm", terminal, false},
		{"always", "1", "dumb", pipe, true},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if got := useColor(c.when, c.out); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestLineWidth(t *testing.T) {
	if n := lineWidth(openTerminal(t, 97)); n != 97 {
		t.Errorf("a terminal of 97 columns has %d", n)
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if n := lineWidth(file); n != 0 {
		t.Errorf("a file has %d columns", n)
	}
}
