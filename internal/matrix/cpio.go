// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
)

// File types as cpio and stat(2) encode them.
const (
	typeChar    = 0o020000
	typeDir     = 0o040000
	typeRegular = 0o100000
	typeSymlink = 0o120000
)

// cpioWriter writes an initramfs archive in the "newc" format (kernel: Documentation/driver-api/early-userspace/
// buffer-format.rst). Owners are root and times are zero, so the same content gives the same bytes. Missing parent
// folders are added. The first error sticks and comes out of Close.
type cpioWriter struct {
	out   *bufio.Writer
	inode uint32
	size  int64
	dirs  map[string]bool
	err   error
}

func newCpioWriter(to io.Writer) *cpioWriter {
	return &cpioWriter{out: bufio.NewWriterSize(to, 1<<16), dirs: map[string]bool{".": true, "": true}}
}

// Root sets the permissions of the root folder itself.
func (w *cpioWriter) Root(permissions uint32) {
	w.entry(".", typeDir|permissions, 2, 0, [2]uint32{}, nil)
}

// Dir adds a folder unless it is there.
func (w *cpioWriter) Dir(name string, permissions uint32) {
	name = strings.Trim(name, "/")
	if w.dirs[name] {
		return
	}
	w.parents(name)
	w.dirs[name] = true
	w.entry(name, typeDir|permissions, 2, 0, [2]uint32{}, nil)
}

// File adds a regular file of exactly size bytes.
func (w *cpioWriter) File(name string, permissions uint32, size int64, content io.Reader) {
	w.parents(name)
	w.entry(name, typeRegular|permissions, 1, size, [2]uint32{}, content)
}

// Text adds a short regular file.
func (w *cpioWriter) Text(name string, permissions uint32, content string) {
	w.File(name, permissions, int64(len(content)), strings.NewReader(content))
}

// Symlink adds a symbolic link.
func (w *cpioWriter) Symlink(name, target string) {
	w.parents(name)
	w.entry(name, typeSymlink|0o777, 1, int64(len(target)), [2]uint32{}, strings.NewReader(target))
}

// CharDevice adds a character device.
func (w *cpioWriter) CharDevice(name string, permissions, major, minor uint32) {
	w.parents(name)
	w.entry(name, typeChar|permissions, 1, 0, [2]uint32{major, minor}, nil)
}

// Close ends the archive and reports the first error. It does not close the underlying writer.
func (w *cpioWriter) Close() error {
	w.inode = 0
	w.header("TRAILER!!!", 0, 1, 0, [2]uint32{})
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("writing cpio archive: %w", w.err)
	}
	return nil
}

func (w *cpioWriter) parents(name string) {
	if parent := path.Dir(strings.Trim(name, "/")); !w.dirs[parent] {
		w.Dir(parent, 0o755)
	}
}

func (w *cpioWriter) entry(name string, mode, links uint32, size int64, device [2]uint32, content io.Reader) {
	if size > 1<<32-1 && w.err == nil {
		w.err = fmt.Errorf("adding %s: larger than 4 GiB", name)
	}
	w.inode++
	w.header(strings.Trim(name, "/"), mode, links, uint32(size), device)
	if w.err != nil || content == nil {
		return
	}
	n, err := io.Copy(w.out, io.LimitReader(content, size))
	switch {
	case err != nil:
		w.err = fmt.Errorf("adding %s: %w", name, err)
	case n != size:
		w.err = fmt.Errorf("adding %s: %d bytes instead of %d", name, n, size)
	}
	w.size += n
	w.pad()
}

// header writes the 110 bytes of hexadecimal fields and the name.
func (w *cpioWriter) header(name string, mode, links, size uint32, device [2]uint32) {
	if w.err != nil {
		return
	}
	fields := [13]uint32{w.inode, mode, 0, 0, links, 0, size, 0, 0, device[0], device[1], uint32(len(name) + 1), 0}
	n, err := w.out.WriteString("070701")
	for _, field := range fields {
		if err == nil {
			_, err = fmt.Fprintf(w.out, "%08x", field)
			n += 8
		}
	}
	if err == nil {
		_, err = w.out.WriteString(name + "\x00")
	}
	w.size += int64(n + len(name) + 1)
	w.err = err
	w.pad()
}

// pad fills up to a multiple of four bytes.
func (w *cpioWriter) pad() {
	for ; w.size%4 != 0 && w.err == nil; w.size++ {
		w.err = w.out.WriteByte(0)
	}
}
