// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed init.sh
var initScript string

// emptyDirs are mount points and other empty folders of the guest, with their permissions.
var emptyDirs = []struct {
	name        string
	permissions uint32
}{
	{"bin", 0o755}, {"sbin", 0o755}, {"usr/bin", 0o755}, {"usr/sbin", 0o755}, {"root", 0o700},
	{"proc", 0o555}, {"sys", 0o555}, {"dev", 0o755}, {"run", 0o755}, {"tmp", 0o1777}, {"suite/jobs", 0o755},
}

// etcFiles let programs look up users, groups and hosts. The ordinary user is for tests that must not be root.
var etcFiles = map[string]string{
	"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
	"etc/group":         "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n",
	"etc/hosts":         "127.0.0.1 localhost matrix\n::1 localhost\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

// writeInitramfs writes the whole file system of a guest.
func writeInitramfs(to string, m machine, busybox string, suites []suite, jobs []job, files []guestFile) error {
	f, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("creating initramfs: %w", err)
	}
	defer f.Close()
	w := newCpioWriter(f)
	w.Root(0o755)
	for _, d := range emptyDirs {
		w.Dir(d.name, d.permissions)
	}
	w.CharDevice("dev/console", 0o600, 5, 1) // what the kernel opens for its first process
	w.Text("init", 0o755, initScript)
	w.Text("etc/matrix-ports", 0o644, fmt.Sprintf("OUTPUT=%s\nCONTROL=%s\n", m.output, m.control))
	for name, content := range etcFiles {
		w.Text(name, 0o644, content)
	}
	for _, j := range jobs {
		w.Text(path.Join("suite/jobs", j.name), 0o644, j.script)
	}
	files = append(files, guestFile{busybox, "bin/busybox"})
	for _, s := range suites {
		files = append(files, s.files()...)
	}
	for _, file := range files {
		if err := addTree(w, file.from, file.to); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing initramfs: %w", err)
	}
	return nil
}

// guestFile is a file or folder of this machine that the guest gets.
type guestFile struct {
	from, to string
}

// addTree adds a file, or a folder with everything below it. Sockets, pipes and devices are left out.
func addTree(w *cpioWriter, from, to string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("collecting files of the guest: %w", err)
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return fmt.Errorf("collecting files of the guest: %w", err)
		}
		target := path.Join(to, filepath.ToSlash(below))
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("collecting files of the guest: %w", err)
		}
		switch {
		case entry.IsDir():
			w.Dir(target, uint32(info.Mode().Perm()))
		case info.Mode().IsRegular():
			return addFile(w, name, target, info)
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return fmt.Errorf("collecting files of the guest: %w", err)
			}
			w.Symlink(target, link)
		}
		return nil
	})
}

func addFile(w *cpioWriter, from, to string, info fs.FileInfo) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("collecting files of the guest: %w", err)
	}
	defer f.Close()
	w.File(to, uint32(info.Mode().Perm()), info.Size(), f)
	return nil
}
